// What an attacker with code of his own in an honest program may try: each act ends in execution or in a socket.
// Exit code 0: it worked. 1: the system refused. Killed: it was stopped.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FRAME_TYPE 0x88b5

static int refused(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

static void copy(int from, int to)
{
	char buffer[65536];
	ssize_t size;

	while ((size = read(from, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, size) != size)
			exit(refused("write"));
}

static int opens(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		exit(refused(path));
	return fd;
}

static int run_fd(int fd, char **command)
{
	fexecve(fd, command, environ);
	return refused("fexecve");
}

static int in_memory(char **command)
{
	int memory = memfd_create("act", 0);

	copy(opens(command[0], O_RDONLY), memory);
	return run_fd(memory, command);
}

static int in_memory_by_path(char **command)
{
	int memory = memfd_create("act", 0);
	char path[64];

	copy(opens(command[0], O_RDONLY), memory);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	execv(path, command);
	return refused("execv");
}

static int deleted(char **command)
{
	int fd = opens(command[0], O_RDONLY);

	unlink(command[0]);
	return run_fd(fd, command);
}

static int by_handle(char **command)
{
	int fd = opens(command[0], O_PATH);

	syscall(SYS_execveat, fd, "", command, environ, AT_EMPTY_PATH);
	return refused("execveat");
}

static int in_root(char **command)
{
	if (chroot(command[0]) || chdir("/"))
		return refused("chroot");
	execv(command[1], command + 1);
	return refused("execv");
}

// Overwrite command[0] in place with command[1], keeping its size and its times.
static int forge(char **command)
{
	int from = opens(command[1], O_RDONLY), to;
	struct stat before;

	if (stat(command[0], &before))
		return refused("stat");
	to = opens(command[0], O_WRONLY);
	copy(from, to);
	if (ftruncate(to, before.st_size) || lseek(to, 0, SEEK_END) != before.st_size)
		return refused("ftruncate");
	close(to);
	struct timespec times[2] = {before.st_atim, before.st_mtim};
	return utimensat(AT_FDCWD, command[0], times, 0) ? refused("utimensat") : 0;
}

static int map(char **command, int protection)
{
	int fd = opens(command[0], O_RDONLY);
	void (*entry)(const char *) = mmap(NULL, 4096, protection, MAP_PRIVATE, fd, 0);

	if (entry == MAP_FAILED)
		return refused("mmap");
	entry(command[1]);
	return 0;
}

static int map_readable(char **command)
{
	if (personality(READ_IMPLIES_EXEC) < 0)
		return refused("personality");
	return map(command, PROT_READ);
}

static int make_executable(char **command, bool by_key)
{
	int fd = opens(command[0], O_RDONLY), protection = PROT_READ | PROT_EXEC;
	// As in a library: something else comes before what is in the file.
	char *range = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void (*entry)(const char *) = mmap(range + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);

	if (range == MAP_FAILED || entry == MAP_FAILED)
		return refused("mmap");
	if (by_key ? syscall(SYS_pkey_mprotect, range, 8192, protection, -1) : mprotect(range, 8192, protection))
		return refused("mprotect");
	entry(command[1]);
	return 0;
}

static int protect(char **command)
{
	return make_executable(command, false);
}

static int protect_by_key(char **command)
{
	return make_executable(command, true);
}

static int family(char **command)
{
	return socket(atoi(command[0]), command[1] ? atoi(command[1]) : SOCK_DGRAM, 0) < 0 ? refused("socket") : 0;
}

// Send a frame with our own ethertype to everybody on an interface.
static int send_frame(int fd, const char *interface)
{
	struct sockaddr_ll to = {
	    .sll_family = AF_PACKET,
	    .sll_protocol = __builtin_bswap16(FRAME_TYPE),
	    .sll_ifindex = if_nametoindex(interface),
	    .sll_halen = 6,
	    .sll_addr = {255, 255, 255, 255, 255, 255},
	};

	return sendto(fd, "outlaw", 6, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? refused("sendto") : 0;
}

static int packet(char **command)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM, 0);

	return fd < 0 ? refused("socket") : send_frame(fd, command[0]);
}

// The same with a socket made by io_uring, which no tracepoint of system calls sees.
static int packet_by_ring(char **command)
{
	struct io_uring_params parameters = {};
	int ring = syscall(SYS_io_uring_setup, 1, &parameters);
	char *submission, *completion;
	struct io_uring_sqe *entries;

	if (ring < 0)
		return refused("io_uring_setup");
	submission = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	completion = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
	entries = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	if (submission == MAP_FAILED || completion == MAP_FAILED || entries == MAP_FAILED)
		return refused("mmap");
	memset(entries, 0, sizeof(*entries));
	entries->opcode = IORING_OP_SOCKET;
	entries->fd = AF_PACKET;
	entries->off = SOCK_DGRAM;
	((unsigned *)(submission + parameters.sq_off.array))[0] = 0;
	__atomic_store_n((unsigned *)(submission + parameters.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return refused("io_uring_enter");
	errno = -((struct io_uring_cqe *)(completion + parameters.cq_off.cqes))->res;
	if (errno > 0)
		return refused("IORING_OP_SOCKET");
	return send_frame(-errno, command[0]);
}

static const struct {
	const char *name;
	int (*act)(char **command);
} acts[] = {
    {"memory", in_memory},
    {"memory-by-path", in_memory_by_path},
    {"deleted", deleted},
    {"handle", by_handle},
    {"root", in_root},
    {"forge", forge},
    {"map-readable", map_readable},
    {"protect", protect},
    {"protect-by-key", protect_by_key},
    {"family", family},
    {"packet", packet},
    {"packet-by-ring", packet_by_ring},
};

int main(int count, char **arguments)
{
	if (count > 3 && !strcmp(arguments[1], "map"))
		return map(arguments + 2, PROT_READ | PROT_EXEC);
	for (size_t i = 0; count > 2 && i < sizeof(acts) / sizeof(*acts); i++)
		if (!strcmp(arguments[1], acts[i].name))
			return acts[i].act(arguments + 2);
	fprintf(stderr, "acts: no such act\n");
	return 2;
}
