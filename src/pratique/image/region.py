"""A part of an open file, read by position, so that readers never disturb each other."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from typing import Final

from pratique.errors import ImageError

BLOCK_BYTES: Final = 1 << 20


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

    def sha256(self) -> str:
        """Return the digest as ``sha256:<hex>``."""
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(block)
        return f"sha256:{digest.hexdigest()}"


def spool_file(directory: str) -> int:
    """Open a temporary file that has no name, so that it is gone with its last descriptor, and return the descriptor.

    :raises ImageError: when the directory takes none
    """
    try:
        with tempfile.TemporaryFile(prefix="pratique-", dir=directory or None) as file:
            return os.dup(file.fileno())
    except OSError as error:
        msg = f"no temporary file in {directory or tempfile.gettempdir()}: {error.strerror}"
        raise ImageError(msg, hint="set TMPDIR to a directory with room") from error


def _pread(fd: int, count: int, offset: int, name: str) -> bytes:
    try:
        return os.pread(fd, count, offset)
    except OSError as error:
        msg = f"{name} cannot be read: {error.strerror}"
        raise ImageError(msg) from error
