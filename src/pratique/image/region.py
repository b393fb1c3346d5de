"""A part of an open file, read by position, so that readers never disturb each other."""

import os
import tempfile
from collections.abc import Iterator
from typing import Final

from pratique.errors import ImageError

BLOCK_BYTES: Final = 1 << 20
ROOM_HINT: Final = "set TMPDIR to a directory with room for the image"


class Region:
    """``size`` bytes of a file from ``offset`` on. Reads are ``pread``: a file that shrinks gives an error, no signal.

    :param name: what it is, for error messages
    """

    __slots__ = ("fd", "name", "offset", "size")

    def __init__(self, fd: int, offset: int, size: int, name: str) -> None:
        self.fd = fd
        self.offset = offset
        self.size = size
        self.name = name

    def read(self, position: int, count: int) -> bytes:
        """Return exactly ``count`` bytes from ``position``.

        :raises ImageError: when the region is shorter
        """
        if position < 0 or count < 0 or position + count > self.size:
            msg = f"{self.name} is truncated: bytes {position} to {position + count} of {self.size}"
            raise ImageError(msg)
        data = _pread(self.fd, count, self.offset + position, self.name)
        if len(data) == count:
            return data
        parts = [data]
        missing = count - len(data)
        while missing:
            data = _pread(self.fd, missing, self.offset + position + count - missing, self.name)
            if not data:
                msg = f"{self.name} is truncated: it ends {missing} bytes early"
                raise ImageError(msg)
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def part(self, offset: int, size: int, name: str) -> "Region":
        """Return a region within this one.

        :raises ImageError: when it does not lie within
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            msg = f"{name} is truncated: {self.name} has {self.size} bytes, and {offset + size} are claimed"
            raise ImageError(msg)
        return Region(self.fd, self.offset + offset, size, name)

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes in blocks of at most 1 MiB."""
        for position in range(0, self.size, BLOCK_BYTES):
            yield self.read(position, min(BLOCK_BYTES, self.size - position))


def spool_file(directory: str) -> int:
    """Open a temporary file that has no name, so that it is gone with its last descriptor, and return the descriptor.

    :raises ImageError: when the directory takes none
    """
    directory = spool_directory(directory)
    try:
        with tempfile.TemporaryFile(prefix="pratique-", dir=directory) as file:
            return os.dup(file.fileno())
    except OSError as error:
        msg = f"no temporary file in {directory}: {error.strerror}"
        raise ImageError(msg, hint=ROOM_HINT) from error


def spool_directory(directory: str) -> str:
    """Return where large temporary files go: the directory given, else TMPDIR, else ``/var/tmp`` (hier(7))."""
    if directory:
        return directory
    usual = tempfile.gettempdir()
    return "/var/tmp" if usual == "/tmp" and os.access("/var/tmp", os.W_OK) else usual  # noqa: S108  # names are random


def write_spool(fd: int, data: bytes, min_free_bytes: int) -> None:
    """Write to a spool, as long as its file system stays usable for others.

    :raises ImageError: when it is full, or would soon be
    """
    free = os.fstatvfs(fd)
    if free.f_bavail * free.f_frsize < min_free_bytes + len(data):
        msg = (
            f"the image needs more room for temporary files than there is, with {min_free_bytes} bytes to be left free"
        )
        raise ImageError(msg, hint=ROOM_HINT)
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError as error:
        msg = f"a temporary file cannot be written: {error.strerror}"
        raise ImageError(msg, hint=ROOM_HINT) from error


def _pread(fd: int, count: int, offset: int, name: str) -> bytes:
    try:
        return os.pread(fd, count, offset)
    except OSError as error:
        msg = f"{name} cannot be read: {error.strerror}"
        raise ImageError(msg) from error
