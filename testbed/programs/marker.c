// A dropped program. Its very first act is to create the file named by its first argument; then it ends.
// No C library, so that nothing at all comes before.
__asm__(".globl _start\n"
	"_start:\n"
	"	mov 16(%rsp), %rdi\n" // argv[1]
	"	mov $0644, %esi\n"
	"	mov $85, %eax\n" // creat
	"	syscall\n"
	"	xor %edi, %edi\n"
	"	mov $60, %eax\n" // exit
	"	syscall\n");
