"""What a container writes, and which bait it opens: fanotify(7) on its file system, and what is left in the end."""

import os
import stat
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from pratique.model import BaitEvent, WriteEvent
from pratique.sandbox.kernel import FAN_CLOSE_WRITE, FAN_MARK_FILESYSTEM, FAN_OPEN, FAN_Q_OVERFLOW, fanotify, mark
from pratique.text import printable

_EVENT: Final = struct.Struct("=IBBHQii")
"""``struct fanotify_event_metadata``"""
_BUFFER: Final = 1 << 16
_PROGRAMS: Final = (b"\x7fELF", b"#!")
_MAX_PATH: Final = 512
_MAX_FILES: Final = 200_000
_MOVED: Final = "moved-key"
_DELETED: Final = " (deleted)"


class Watcher:
    """The fanotify group of one run. Read it when it is readable: :meth:`read`.

    :param bait: path in the container → kind of bait
    :param record: takes each event
    """

    def __init__(self, merged: str, bait: dict[str, str], record: Callable[[WriteEvent | BaitEvent], None]) -> None:
        self._bait = bait
        self._record = record
        self._own = os.getpid()
        self._seen: set[tuple[str, int, bool]] = set()
        self.overflows = 0
        self.fd = fanotify()
        try:
            mark(self.fd, FAN_MARK_FILESYSTEM, FAN_CLOSE_WRITE, merged)
            for path in bait:
                mark(self.fd, 0, FAN_OPEN, f"{merged}{path}")
        except OSError:
            os.close(self.fd)
            raise

    def add(self, path: str) -> None:
        """Watch one more file system: what is written to it."""
        mark(self.fd, FAN_MARK_FILESYSTEM, FAN_CLOSE_WRITE, path)

    def close(self) -> None:
        """Let go."""
        os.close(self.fd)

    def read(self) -> bool:
        """Record what happened since the last time, as much as one read gives; tell whether there may be more."""
        try:
            data = os.read(self.fd, _BUFFER)
        except BlockingIOError:
            return False
        position = 0
        while position + _EVENT.size <= len(data):
            length, _, _, _, mask, fd, pid = _EVENT.unpack_from(data, position)
            position += max(length, _EVENT.size)
            if fd < 0:
                self.overflows += bool(mask & FAN_Q_OVERFLOW)
                continue
            try:
                if pid != self._own:
                    self._note(mask, fd, pid)
            except OSError:
                continue  # a file that is gone
            finally:
                os.close(fd)
        return bool(data)

    def written(self) -> set[str]:
        """Return the paths that were told."""
        return {path for path, _, _ in self._seen}

    def _note(self, mask: int, fd: int, pid: int) -> None:
        path = str(Path(f"/proc/self/fd/{fd}").readlink()).removesuffix(_DELETED)
        if mask & FAN_OPEN:  # asked for of bait only, which may have been moved since
            shown = printable(path)[:_MAX_PATH]
            self._record(BaitEvent(time.time(), 0, pid, command_of(pid), self._bait.get(path, _MOVED), shown))
        if mask & FAN_CLOSE_WRITE:
            status = os.fstat(fd)
            executable = _is_program(status, os.pread(fd, 4, 0)) if stat.S_ISREG(status.st_mode) else False
            key = (path, pid, executable)
            if key in self._seen:
                return
            if len(self._seen) < _MAX_FILES:
                self._seen.add(key)
            shown = printable(path)[:_MAX_PATH]
            self._record(WriteEvent(time.time(), 0, pid, command_of(pid), shown, executable))


def left_behind(upper: Path, told: set[str]) -> Iterator[WriteEvent]:
    """Yield the files of the overlay's upper layer that were not told: renamed since, or still open in the end.

    Nobody can be named for them: ``pid`` is 0. Their time is that of their last change.
    """
    count = 0
    for directory, _, names, opened in os.fwalk(upper, follow_symlinks=False):
        inside = directory.removeprefix(str(upper))
        for name in names:
            count += 1
            if count > _MAX_FILES:
                return
            path = f"{inside}/{name}"
            if path in told:
                continue
            try:
                status = os.stat(name, dir_fd=opened, follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    executable = _is_program(status, _head(name, opened))
                    yield WriteEvent(status.st_ctime, 0, 0, "", printable(path)[:_MAX_PATH], executable)
            except OSError:
                continue


def command_of(pid: int) -> str:
    """Return the kernel's name of a process, empty when it is gone."""
    try:
        text = Path(f"/proc/{pid}/comm").read_bytes().rstrip(b"\n")
    except OSError:
        return ""
    return printable(text.decode(errors="backslashreplace"))


def _head(name: str, directory: int) -> bytes:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    try:
        return os.read(fd, 4)
    finally:
        os.close(fd)


def _is_program(status: os.stat_result, head: bytes) -> bool:
    return bool(status.st_mode & 0o111) or head.startswith(_PROGRAMS)
