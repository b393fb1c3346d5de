"""The system calls that Python 3.11 has no name for, by ctypes. Each raises :class:`OSError`."""

import ctypes
import os
import struct
from typing import Final

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWNET: Final = 0x40000000
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_NOEXEC: Final = 8
MS_REC: Final = 0x4000
MS_PRIVATE: Final = 0x40000
FAN_CLOSE_WRITE: Final = 0x08
FAN_OPEN: Final = 0x20
FAN_Q_OVERFLOW: Final = 0x4000
FAN_MARK_ADD: Final = 1
FAN_MARK_FILESYSTEM: Final = 0x100

_FAN_CLOEXEC_NONBLOCK: Final = 3
_AT_FDCWD: Final = -100
_PR_SET_CHILD_SUBREAPER: Final = 36
_OPENAT2: Final = 437
_RESOLVE_IN_ROOT: Final = 0x10
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_OPEN_HOW: Final = struct.Struct("=QQQ")
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Give this process namespaces of its own: unshare (2)."""
    _check(_LIBC.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """Mount a file system: mount (2)."""
    arguments = (os.fsencode(text) for text in (source, target, kind))
    _check(_LIBC.mount(*arguments, ctypes.c_ulong(flags), os.fsencode(data) or None), f"mount {kind}")


def become_subreaper() -> None:
    """Become the parent of descendants whose own parents end: prctl(2)."""
    _check(_LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def open_in_root(root: int, path: str, flags: int, mode: int = 0) -> int:
    """Open a path as a process would for which the directory ``root`` is the root: openat2(2), Linux 5.6."""
    how = _OPEN_HOW.pack(flags | os.O_CLOEXEC, mode, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    opened = _LIBC.syscall(_OPENAT2, root, os.fsencode(path), how, ctypes.c_size_t(len(how)))
    _check(opened, f"open {path}")
    return int(opened)


def fanotify(nonblocking_read: int = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK) -> int:
    """Open a group of fanotify: fanotify_init(2), class ``FAN_CLASS_NOTIF``."""
    opened: int = _LIBC.fanotify_init(_FAN_CLOEXEC_NONBLOCK, nonblocking_read)
    _check(opened, "fanotify_init")
    return opened


def mark(group: int, flags: int, mask: int, path: str) -> None:
    """Ask for the events of a file or a whole file system: fanotify_mark(2)."""
    marked = _LIBC.fanotify_mark(group, FAN_MARK_ADD | flags, ctypes.c_uint64(mask), _AT_FDCWD, os.fsencode(path))
    _check(marked, "fanotify_mark")


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
