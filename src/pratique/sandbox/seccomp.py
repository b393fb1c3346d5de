"""Which system calls a container may make, and which are passed on to the keeper to refuse and record, or to skip.

Whatever is in none of the lists is refused. What is allowed is what container engines allow without any capability,
less io_uring (it runs system calls past this filter's sight) and tracing of other processes.
"""

import platform
from collections.abc import Iterable
from typing import Any, Final

_ALLOWED: Final = """
accept accept4 access alarm arch_prctl bind brk capget capset chdir chmod chown clock_getres clock_gettime close
close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait
epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64
fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr
fsetxattr fstat fstatfs fsync ftruncate futex futex_waitv futimesat get_mempolicy get_robust_list get_thread_area getcpu
getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid getpgrp getpid getppid
getpriority getrandom getresgid getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid
getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents
io_setup io_submit ioctl ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self
lchown lgetxattr link linkat listen listxattr llistxattr lremovexattr lseek lsetxattr lstat madvise mbind membarrier
memfd_create mincore mkdir mkdirat mlock mlock2 mlockall mmap modify_ldt mprotect mq_getsetattr mq_notify mq_open
mq_timedreceive mq_timedsend mq_unlink mremap msgctl msgget msgrcv msgsnd msync munlock munlockall munmap
name_to_handle_at newfstatat open openat openat2 pause personality pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc
pkey_free pkey_mprotect prctl pread64 preadv preadv2 prlimit64 process_mrelease pwrite64 pwritev pwritev2 read readahead
readlink readlinkat readv recvfrom recvmmsg recvmsg remap_file_pages removexattr rename renameat renameat2
restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr
sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam
sched_setscheduler sched_yield seccomp semctl semget semop semtimedop sendfile sendmmsg sendmsg sendto set_mempolicy
set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority
setregid setresgid setresuid setreuid setrlimit setsid setsockopt setuid setxattr shmat shmctl shmdt shmget shutdown
sigaltstack signalfd signalfd4 socketpair splice stat statfs statx symlink symlinkat sync sync_file_range syncfs sysinfo
tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime
timerfd_settime times tkill truncate umask uname unlink unlinkat utime utimensat utimes vfork vmsplice wait4 waitid
write writev
"""
_ALLOWED_COMPACT: Final = """
_llseek chown32 clock_getres_time64 clock_gettime64 fadvise64_64 fchown32 fcntl64 fstat64 fstatat64 fstatfs64
ftruncate64 futex_time64 getegid32 geteuid32 getgid32 getgroups32 getresgid32 getresuid32 getuid32 io_pgetevents_time64
ipc lchown32 lstat64 mmap2 mq_timedreceive_time64 mq_timedsend_time64 nice readdir recvmmsg_time64
rt_sigtimedwait_time64 sched_rr_get_interval_time64 semtimedop_time64 sendfile64 setfsgid32 setfsuid32 setgid32
setgroups32 setregid32 setresgid32 setresuid32 setreuid32 setuid32 sigaction signal sigpending sigprocmask sigreturn
sigsuspend socketcall stat64 statfs64 timer_gettime64 timer_settime64 timerfd_gettime64 timerfd_settime64 truncate64
ugetrlimit utimensat_time64 waitpid
"""
"""What only programs of 32 bits have."""
_REFUSED: Final = """
acct add_key bpf chroot clock_adjtime clock_adjtime64 clock_settime clock_settime64 delete_module fanotify_init
finit_module fsmount fsopen init_module ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mount
mount_setattr move_mount open_by_handle_at open_tree perf_event_open pidfd_getfd pivot_root process_madvise
process_vm_readv process_vm_writev ptrace quotactl reboot request_key setdomainname sethostname setns settimeofday stime
swapoff swapon syslog umount umount2 unshare userfaultfd vhangup
"""
REFUSED: Final = frozenset(_REFUSED.split())
"""What containers have no business with; each try is recorded."""
SLEEPS: Final = frozenset({"clock_nanosleep", "clock_nanosleep_time64", "nanosleep"})
WAITS: Final = {
    "_newselect": 0,
    "poll": 1,
    "ppoll": 1,
    "ppoll_time64": 1,
    "pselect6": 0,
    "pselect6_time64": 0,
    "select": 0,
}
"""The argument that is the number of descriptors. They sleep where they are given nothing to wait for but a time."""
CLONE_NAMESPACES: Final = 0x7E020000
"""Every ``CLONE_NEW…`` but ``CLONE_NEWTIME``, whose bit means something else to clone(2)."""
DEVICES: Final = {"mknod": 1, "mknodat": 2}
"""The argument that is the mode."""
DEVICE_BITS: Final = (0x2000, 0x6000)
_FILE_KIND: Final = 0xF000

_ALLOW: Final = "SCMP_ACT_ALLOW"
_NOTIFY: Final = "SCMP_ACT_NOTIFY"
_ERRNO: Final = "SCMP_ACT_ERRNO"
_EPERM: Final = 1
_ENOSYS: Final = 38
_HIGHEST_FAMILY: Final = 38
"""``AF_ALG``, and ``AF_VSOCK`` behind it: to the kernel's crypto and to the hypervisor."""
_ARCHITECTURES: Final = {"x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "aarch64": ["SCMP_ARCH_AARCH64"]}
"""A program for any other architecture is killed: its calls could not be told."""


def profile(listener: str, *, skip_sleeps: bool) -> dict[str, Any]:
    """Return the ``seccomp`` of a runtime configuration.

    :param listener: the Unix socket on which the keeper waits for the filter's descriptor
    """
    rules = [
        _rule(_ALLOW, (_ALLOWED + _ALLOWED_COMPACT).split()),
        _rule(_NOTIFY, REFUSED),
        # Its flags lie in memory, where a filter cannot look; C libraries fall back to clone.
        {**_rule(_ERRNO, ["clone3"]), "errnoRet": _ENOSYS},
        _rule(_ALLOW, ["clone"], _condition(0, "SCMP_CMP_MASKED_EQ", CLONE_NAMESPACES, 0)),
        _rule(_ALLOW, ["socket"], _condition(0, "SCMP_CMP_LT", _HIGHEST_FAMILY)),
    ]
    rules += [
        _rule(_NOTIFY, ["clone"], _condition(0, "SCMP_CMP_MASKED_EQ", 1 << bit, 1 << bit))
        for bit in range(32)
        if CLONE_NAMESPACES >> bit & 1
    ]
    for name, index in DEVICES.items():
        for kind in range(0, _FILE_KIND + 1, 0x1000):
            action = _NOTIFY if kind in DEVICE_BITS else _ALLOW
            rules.append(_rule(action, [name], _condition(index, "SCMP_CMP_MASKED_EQ", _FILE_KIND, kind)))
    if skip_sleeps:
        rules.append(_rule(_NOTIFY, SLEEPS))
        for name, index in WAITS.items():
            rules.append(_rule(_NOTIFY, [name], _condition(index, "SCMP_CMP_EQ", 0)))
            rules.append(_rule(_ALLOW, [name], _condition(index, "SCMP_CMP_NE", 0)))
    else:
        rules.append(_rule(_ALLOW, [*SLEEPS, *WAITS]))
    return {
        "defaultAction": _ERRNO,
        "defaultErrnoRet": _EPERM,
        "architectures": _ARCHITECTURES[platform.machine()],
        "listenerPath": listener,
        "syscalls": rules,
    }


def _rule(action: str, names: Iterable[str], condition: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"names": sorted(names), "action": action, **({"args": [condition]} if condition else {})}


def _condition(index: int, operator: str, value: int, second: int | None = None) -> dict[str, Any]:
    return {"index": index, "op": operator, "value": value, **({} if second is None else {"valueTwo": second})}
