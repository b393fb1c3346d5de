"""The numbers of the system calls that are passed on. Source: the kernel's ``syscall_64.tbl``, asm-generic/unistd.h."""

import platform
from typing import Final

_X86_64: Final = """
poll=7 select=23 nanosleep=35 clone=56 ptrace=101 syslog=103 mknod=133 vhangup=153 pivot_root=155 chroot=161 acct=163
settimeofday=164 mount=165 umount2=166 swapon=167 swapoff=168 reboot=169 sethostname=170 setdomainname=171 iopl=172
ioperm=173 init_module=175 delete_module=176 quotactl=179 lookup_dcookie=212 clock_settime=227 clock_nanosleep=230
kexec_load=246 add_key=248 request_key=249 keyctl=250 mknodat=259 pselect6=270 ppoll=271 unshare=272 perf_event_open=298
fanotify_init=300 open_by_handle_at=304 clock_adjtime=305 setns=308 process_vm_readv=310 process_vm_writev=311 kcmp=312
finit_module=313 kexec_file_load=320 bpf=321 userfaultfd=323 open_tree=428 move_mount=429 fsopen=430 fsmount=432
pidfd_getfd=438 process_madvise=440 mount_setattr=442
"""
_I386: Final = """
mknod=14 mount=21 umount=22 stime=25 ptrace=26 acct=51 umount2=52 chroot=61 sethostname=74 settimeofday=79 select=82
swapon=87 reboot=88 ioperm=101 syslog=103 iopl=110 vhangup=111 swapoff=115 clone=120 setdomainname=121 init_module=128
delete_module=129 quotactl=131 _newselect=142 nanosleep=162 poll=168 pivot_root=217 lookup_dcookie=253 clock_settime=264
clock_nanosleep=267 kexec_load=283 add_key=286 request_key=287 keyctl=288 mknodat=297 pselect6=308 ppoll=309 unshare=310
perf_event_open=336 fanotify_init=338 open_by_handle_at=342 clock_adjtime=343 setns=346 process_vm_readv=347
process_vm_writev=348 kcmp=349 finit_module=350 bpf=357 userfaultfd=374 clock_settime64=404 clock_adjtime64=405
clock_nanosleep_time64=407 pselect6_time64=413 ppoll_time64=414 open_tree=428 move_mount=429 fsopen=430 fsmount=432
pidfd_getfd=438 process_madvise=440 mount_setattr=442
"""
_AARCH64: Final = """
lookup_dcookie=18 mknodat=33 umount2=39 mount=40 pivot_root=41 chroot=51 vhangup=58 quotactl=60 pselect6=72 ppoll=73
acct=89 unshare=97 nanosleep=101 kexec_load=104 init_module=105 delete_module=106 clock_settime=112 clock_nanosleep=115
syslog=116 ptrace=117 reboot=142 sethostname=161 setdomainname=162 settimeofday=170 add_key=217 request_key=218
keyctl=219 clone=220 swapon=224 swapoff=225 perf_event_open=241 fanotify_init=262 open_by_handle_at=265
clock_adjtime=266 setns=268 process_vm_readv=270 process_vm_writev=271 kcmp=272 finit_module=273 bpf=280 userfaultfd=282
kexec_file_load=294 open_tree=428 move_mount=429 fsopen=430 fsmount=432 pidfd_getfd=438 process_madvise=440
mount_setattr=442
"""
_TABLES: Final = {
    "x86_64": {0xC000003E: _X86_64, 0x40000003: _I386},
    "aarch64": {0xC00000B7: _AARCH64},
}
"""Machine → the architectures that it runs (``AUDIT_ARCH_…`` of linux/audit.h), its own first → calls."""
MACHINES: Final = frozenset(_TABLES)


def names_by_number(machine: str = platform.machine()) -> dict[tuple[int, int], str]:
    """Return the calls of a machine, by architecture and number."""
    return {
        (architecture, int(number)): name
        for architecture, table in _TABLES[machine].items()
        for name, _, number in (each.partition("=") for each in table.split())
    }


def is_compact(architecture: int) -> bool:
    """Tell whether numbers in memory have 32 bits where the machine's own programs use 64: ``__AUDIT_ARCH_64BIT``."""
    return not architecture & 0x80000000
