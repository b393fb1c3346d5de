"""What holds the parts of an image: a tar (docker-archive, OCI layout as a tar) or a directory (OCI layout)."""

import os
import posixpath
import stat
from pathlib import Path
from typing import Final, Protocol

from pratique.errors import ImageError
from pratique.image.deadline import Deadline
from pratique.image.layer import GZIP, OpenLayers
from pratique.image.options import Options
from pratique.image.region import Region
from pratique.image.tar import Kind, walk
from pratique.text import printable

_MAX_LINKS: Final = 8
_HINT: Final = "name an engine's image, a file made by 'docker save', or an OCI layout"


class Container(Protocol):
    """Named parts."""

    name: str

    def open(self, path: str) -> Region | None:
        """Return a part, or None when there is none of that name.

        :raises ImageError: when it is there and cannot be read
        """
        ...

    def close(self) -> None:
        """Give the files back."""
        ...


class TarContainer:
    """The members of a tar, which may be gzipped.

    :param fd: the open file; closed with the container
    :raises ImageError: when it is not a tar, or has too many members, or two of one name
    """

    def __init__(self, fd: int, name: str, options: Options, deadline: Deadline) -> None:
        self.name = name
        self._fd = fd
        self._inflated = OpenLayers(options, deadline)
        self._tar = Region(fd, 0, os.fstat(fd).st_size, name)
        self._members: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        try:
            if self._tar.size >= len(GZIP) and self._tar.read(0, len(GZIP)) == GZIP:
                self._tar, _ = self._inflated.inflate(self._tar)
            self._index(options)
        except BaseException:
            self._inflated.close()
            raise

    def _index(self, options: Options) -> None:
        for count, header in enumerate(walk(self._tar, options)):
            if count >= options.max_members:
                msg = f"{self.name} has more than {options.max_members} members"
                raise ImageError(msg, hint="a tar of a file system is not an image; 'docker import' makes it one")
            path = posixpath.normpath(header.path.lstrip("/"))
            if header.kind is Kind.DIRECTORY:
                continue
            if path in self._members or path in self._links:
                msg = f"{self.name} holds {printable(path)[:200]} twice, so that it could mean two images"
                raise ImageError(msg)
            if header.kind is Kind.FILE and header.segments is None:
                self._members[path] = (header.offset, header.size)
            elif header.kind in (Kind.SYMLINK, Kind.HARDLINK):
                base = posixpath.dirname(path) if header.kind is Kind.SYMLINK else ""
                self._links[path] = posixpath.normpath(posixpath.join(base, header.target))

    def open(self, path: str) -> Region | None:
        """Return a member; links lead to members only."""
        path = posixpath.normpath(path)
        for _ in range(_MAX_LINKS):
            if path in self._members:
                return self._tar.part(*self._members[path], f"{printable(path)[:200]} of {self.name}")
            if path not in self._links:
                return None
            path = self._links[path]
        msg = f"{self.name} has a loop of links at {printable(path)[:200]}"
        raise ImageError(msg)

    def close(self) -> None:
        """Close the file."""
        self._inflated.close()
        os.close(self._fd)


class DirectoryContainer:
    """The files of a directory. Symlinks are not followed: a layout has none, and they could lead anywhere."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._root = _open(path, os.O_DIRECTORY)
        self._fds: list[int] = []

    def open(self, path: str) -> Region | None:
        """Return a file of the directory."""
        directory = self._root
        opened: list[int] = []
        try:
            *parents, name = path.split("/")
            for part in parents:
                directory = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
                opened.append(directory)
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
        except FileNotFoundError:
            return None
        except OSError as error:
            msg = f"{path} of {self.name} cannot be read: {error.strerror}"
            raise ImageError(msg) from error
        finally:
            for descriptor in opened:
                os.close(descriptor)
        self._fds.append(fd)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            msg = f"{path} of {self.name} is not a file"
            raise ImageError(msg)
        return Region(fd, 0, status.st_size, f"{path} of {self.name}")

    def close(self) -> None:
        """Close all files."""
        while self._fds:
            os.close(self._fds.pop())
        os.close(self._root)


def open_container(path: Path, options: Options, deadline: Deadline) -> Container:
    """Open whatever is at a path.

    :raises ImageError: when nothing readable is there
    """
    if path.is_dir():
        return DirectoryContainer(path)
    if not path.is_file():
        msg = f"{path} is neither a file nor a directory"
        raise ImageError(msg, hint=_HINT)
    fd = _open(path, os.O_NONBLOCK)
    try:
        return TarContainer(fd, str(path), options, deadline)
    except BaseException:
        os.close(fd)
        raise


def _open(path: Path, flags: int) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    except OSError as error:
        msg = f"{path} cannot be opened: {error.strerror}"
        raise ImageError(msg, hint=_HINT) from error
