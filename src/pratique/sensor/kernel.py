"""bpf(2) and perf_event_open(2) by ctypes: no native code of ours, no libbpf on the host that runs it.

Attribute layouts are those of ``union bpf_attr`` in linux/bpf.h; the kernel treats absent bytes at the end as zero.
Every function raises :class:`~pratique.errors.KernelError`.
"""

import ctypes
import errno
import fcntl
import os
import platform
import struct
from enum import IntEnum
from pathlib import Path
from typing import Final, NoReturn

from pratique.errors import KernelError

_SYSCALLS: Final = {"x86_64": (321, 298), "aarch64": (280, 241)}
"""machine → (bpf, perf_event_open)"""
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_PERF_EVENT_IOC_ENABLE: Final = 0x2400
_PERF_TYPE_TRACEPOINT: Final = 2
_PERF_FLAG_FD_CLOEXEC: Final = 8
_PERF_ATTR_SIZE: Final = 64
_TRACEFS: Final = Path("/sys/kernel/tracing")

_HINTS: Final = {
    errno.EPERM: "run as root (CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_ADMIN); a locked-down kernel may refuse",
    errno.EACCES: "the verifier refused the program; report the log above with the output of 'pratique doctor'",
    errno.EINVAL: "this kernel may be too old: 5.17 or newer with BTF (CONFIG_DEBUG_INFO_BTF) is needed",
    errno.ENOSYS: "this kernel was built without bpf(2)",
    errno.E2BIG: "the map is full: fewer rules, or networks in place of single addresses",
    errno.ENOMEM: "the kernel has no memory left for this map",
}


class Command(IntEnum):
    """``enum bpf_cmd``, as far as used here."""

    MAP_CREATE = 0
    MAP_LOOKUP_ELEM = 1
    MAP_UPDATE_ELEM = 2
    MAP_DELETE_ELEM = 3
    PROG_LOAD = 5
    OBJ_PIN = 6
    OBJ_GET = 7
    PROG_TEST_RUN = 10
    OBJ_GET_INFO_BY_FD = 15
    RAW_TRACEPOINT_OPEN = 17
    MAP_LOOKUP_BATCH = 24
    MAP_UPDATE_BATCH = 26
    MAP_DELETE_BATCH = 27
    LINK_CREATE = 28
    LINK_DETACH = 34


class AttachType(IntEnum):
    """``enum bpf_attach_type``, as far as used here."""

    CGROUP_INET_INGRESS = 0
    CGROUP_INET_EGRESS = 1
    CGROUP_INET_SOCK_CREATE = 2
    CGROUP_INET4_CONNECT = 10
    CGROUP_INET6_CONNECT = 11
    CGROUP_UDP4_SENDMSG = 14
    CGROUP_UDP6_SENDMSG = 15
    TRACE_RAW_TP = 23
    PERF_EVENT = 41
    TCX_INGRESS = 46
    TCX_EGRESS = 47


def call(command: Command, attributes: ctypes.Array[ctypes.c_char], what: str) -> int:
    """Do one bpf(2) call and return its result.

    :param attributes: the ``union bpf_attr``; the kernel may write into it
    :param what: the operation and its object, for the error
    """
    result, code = attempt(command, attributes)
    if result < 0:
        refuse(what, code)
    return result


def attempt(command: Command, attributes: ctypes.Array[ctypes.c_char]) -> tuple[int, int]:
    """Do one bpf(2) call and return (result, errno)."""
    number = _syscall_numbers()[0]
    result: int = _LIBC.syscall(
        ctypes.c_long(number), ctypes.c_int(command), attributes, ctypes.c_uint(ctypes.sizeof(attributes))
    )
    return result, ctypes.get_errno() if result < 0 else 0


def refuse(what: str, code: int, detail: str = "") -> NoReturn:
    """Raise the error for a refused operation.

    :param what: the operation and its object
    :param detail: what the kernel said about it
    """
    reason = f"{os.strerror(code)} ({errno.errorcode.get(code, code)})"
    msg = f"kernel refused to {what}: {reason}{': ' + detail if detail else ''}"
    raise KernelError(msg, hint=_HINTS.get(code, "'pratique doctor' tells what this kernel can do"))


def attributes(fmt: str, *values: int) -> ctypes.Array[ctypes.c_char]:
    """Pack a ``union bpf_attr``; ``fmt`` is a native-endian :mod:`struct` format without alignment."""
    packed = struct.pack("=" + fmt, *values)
    return ctypes.create_string_buffer(packed, len(packed))


def path_argument(path: Path) -> ctypes.Array[ctypes.c_char]:
    """Return a path as a C string."""
    return ctypes.create_string_buffer(os.fsencode(path))


def pin(fd: int, path: Path) -> None:
    """Give a map, program or link a name in a bpf file system, so that it outlives this process."""
    name = path_argument(path)
    call(Command.OBJ_PIN, attributes("QI", ctypes.addressof(name), fd), f"pin {path}")


def open_pinned(path: Path) -> int:
    """Return a descriptor of what is pinned at a path."""
    name = path_argument(path)
    return call(Command.OBJ_GET, attributes("QI", ctypes.addressof(name), 0), f"open {path}")


def end_link(path: Path) -> None:
    """Remove a pinned link and end it now; by itself it would end when the kernel gets round to it (RCU)."""
    fd = open_pinned(path)
    path.unlink()
    attempt(Command.LINK_DETACH, attributes("I", fd))  # kernel 5.9; tracing links end with their last descriptor
    os.close(fd)


def link_cgroup(program: int, cgroup: int, attach_type: AttachType, what: str) -> int:
    """Attach a program to a cgroup directory's descriptor; several programs may share it. Return the link."""
    return call(Command.LINK_CREATE, attributes("IIII", program, cgroup, attach_type, 0), f"attach {what}")


def link_tracing(program: int, what: str) -> int:
    """Attach a ``tp_btf`` program to the tracepoint that it was loaded for. Return the link."""
    return call(Command.RAW_TRACEPOINT_OPEN, attributes("QI", 0, program), f"attach {what}")


def link_tcx(program: int, ifindex: int, attach_type: AttachType, what: str) -> int:
    """Attach a program to an interface by tcx (kernel 6.6). Return the link."""
    return call(Command.LINK_CREATE, attributes("IIIIIIQ", program, ifindex, attach_type, 0, 0, 0, 0), f"attach {what}")


def link_tracepoint(program: int, category: str, event: str) -> int:
    """Attach a program to a tracepoint by a perf event (kernel 5.15); tracefs must be mounted. Return the link."""
    what = f"attach to tracepoint {category}/{event}"
    try:
        number = int((_TRACEFS / "events" / category / event / "id").read_text())
    except (OSError, ValueError) as error:
        msg = f"tracepoint {category}/{event} cannot be found: {error}"
        raise KernelError(msg, hint=f"mount -t tracefs tracefs {_TRACEFS}") from error
    # struct perf_event_attr: type, size, config, sample_period, sample_type, read_format, flags, wakeup, …
    event_attributes = struct.pack("=IIQQQQQIIQ", _PERF_TYPE_TRACEPOINT, _PERF_ATTR_SIZE, number, 1, 0, 0, 0, 0, 0, 0)
    buffer = ctypes.create_string_buffer(event_attributes, _PERF_ATTR_SIZE)
    opened: int = _LIBC.syscall(
        ctypes.c_long(_syscall_numbers()[1]),
        buffer,
        ctypes.c_int(-1),
        ctypes.c_int(0),
        ctypes.c_int(-1),
        ctypes.c_ulong(_PERF_FLAG_FD_CLOEXEC),
    )
    if opened < 0:
        refuse(what, ctypes.get_errno())
    try:
        link = call(Command.LINK_CREATE, attributes("IIIIQ", program, opened, AttachType.PERF_EVENT, 0, 0), what)
        fcntl.ioctl(opened, _PERF_EVENT_IOC_ENABLE, 0)
    except OSError as error:
        refuse(what, error.errno or errno.EIO)
    finally:
        os.close(opened)  # the link keeps the event alive
    return link


def _syscall_numbers() -> tuple[int, int]:
    machine = platform.machine()
    if machine not in _SYSCALLS:
        msg = f"machine {machine} is not supported: the sensor knows {', '.join(sorted(_SYSCALLS))}"
        raise KernelError(msg)
    return _SYSCALLS[machine]
