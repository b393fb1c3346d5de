"""Lays an image's merged tree out in a directory, as the file system that a container of it starts from.

Every step goes from an open directory to a name in it and follows no link: openat(2) with ``O_NOFOLLOW``. A name of
the tree is one path component by construction (:meth:`pratique.image.Tree.apply`), and the directory is fresh, so
nothing can lead out of it. Device nodes are left out, extended attributes (file capabilities) too.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from pratique.errors import ImageError
from pratique.image.image import Image
from pratique.image.region import ROOM_HINT
from pratique.image.tar import Kind
from pratique.image.tree import Node
from pratique.model import Unread
from pratique.text import printable

_IDS: Final = 65_536
_NOBODY: Final = 65_534
_BLOCK: Final = 1 << 20
_MAX_UNREAD: Final = 1_000
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MADE_BY_RUNTIMES: Final = ("dev", "proc", "sys")
_LOOK_EVERY: Final = 256
_LEFT_OF_INODES: Final = 0.05
"""The share of the file system's inodes that is left free, where it has a fixed number of them."""
_PATH_MAX: Final = 4096
"""``PATH_MAX`` of ``linux/limits.h``, with the zero at the end."""


class ExtractOptions(Struct, frozen=True):
    """The bounds of an extraction."""

    first_id: int = 0
    """What is added to each owner: the start of a user namespace. Owners from 65,536 on become nobody."""
    max_bytes: int = 16 << 30
    """Written; holes of sparse files take nothing."""
    min_free_bytes: int = 1 << 30
    """What is left free of the file system."""


class _Extraction:
    def __init__(self, image: Image, options: ExtractOptions, stop: Callable[[], bool]) -> None:
        self._image = image
        self._options = options
        self._stop = stop
        self._left = options.max_bytes
        self._placed = 0
        self._linkable: dict[tuple[int, int, int], str] = {}
        self._root = -1
        self.unread: list[Unread] = []

    def run(self, root: int) -> None:
        """Fill the directory. Each directory gets its owner and mode when all that is in it is there."""
        self._root = root
        tree = self._image.tree.root
        open_directories = [(tree, os.dup(root), iter(list((tree.children or {}).items())))]
        try:
            while open_directories:
                node, directory, children = open_directories[-1]
                name, child = next(children, ("", node))
                if not name:
                    self._finish(directory, node)
                    os.close(directory)
                    open_directories.pop()
                    continue
                self._may_go_on(directory)
                if child.children is not None:
                    os.mkdir(name, 0o700, dir_fd=directory)
                    opened = os.open(name, _DIRECTORY, dir_fd=directory)
                    open_directories.append((child, opened, iter(list(child.children.items()))))
                else:
                    self._place(name, child, directory)
        finally:
            for _, directory, _ in open_directories:
                os.close(directory)

    def _may_go_on(self, directory: int) -> None:
        """See whether there may be one more entry: those without data take room as well, in hundreds of thousands."""
        if self._stop():
            msg = "the extraction was called off"
            raise ImageError(msg)
        if self._placed % _LOOK_EVERY == 0:
            self._check_room(directory, 0)
        self._placed += 1

    def _place(self, name: str, node: Node, directory: int) -> None:
        if node.kind is Kind.SYMLINK and not _may_be_target(node.target):
            self._complain(node, "is a symbolic link that no file system can hold")
        elif node.kind is Kind.SYMLINK:
            os.symlink(node.target, name, dir_fd=directory)
            os.chown(name, *self._owner(node), dir_fd=directory, follow_symlinks=False)
        elif node.kind is Kind.FILE:
            self._file(name, node, directory)
        elif node.path.split("/")[0] not in _MADE_BY_RUNTIMES:
            self._complain(node, "is a device")

    def _file(self, name: str, node: Node, directory: int) -> None:
        if not self._image.is_readable(node):
            self._complain(node, "is in a layer that cannot be read")
            return
        key = (node.data_layer, node.offset, node.size)
        if node.size and key in self._linkable:
            os.link(self._linkable[key], name, src_dir_fd=self._root, dst_dir_fd=directory, follow_symlinks=False)
            return
        file = os.open(name, _NEW, 0o600, dir_fd=directory)
        try:
            self._fill(file, node)
            os.fchown(file, *self._owner(node))
            os.fchmod(file, node.mode)
        finally:
            os.close(file)
        self._linkable[key] = node.path

    def _fill(self, file: int, node: Node) -> None:
        segments = node.segments if node.segments is not None else ((0, node.size),)
        for offset, length in segments:
            self._left -= length
            if self._left < 0:
                msg = f"the image's files have more than {self._options.max_bytes} bytes"
                raise ImageError(msg)
            for start in range(offset, offset + length, _BLOCK):
                data = self._image.read(node, start, min(_BLOCK, offset + length - start))
                self._check_room(file, len(data))
                written = 0
                while written < len(data):
                    written += os.pwrite(file, data[written:], start + written)
        os.ftruncate(file, node.size)

    def _check_room(self, file: int, count: int) -> None:
        room = os.fstatvfs(file)
        if room.f_bavail * room.f_frsize < self._options.min_free_bytes + count:
            msg = f"there is no room for the image's files, with {self._options.min_free_bytes} bytes to be left free"
            raise ImageError(msg, hint=ROOM_HINT)
        if room.f_favail < room.f_files * _LEFT_OF_INODES:
            msg = f"there are too few inodes for the image's files, with {_LEFT_OF_INODES:.0%} to be left free"
            raise ImageError(msg, hint=ROOM_HINT)

    def _finish(self, directory: int, node: Node) -> None:
        os.fchown(directory, *self._owner(node))
        os.fchmod(directory, node.mode & ~stat.S_ISUID)

    def _owner(self, node: Node) -> tuple[int, int]:
        first = self._options.first_id
        return tuple(first + (each if each < _IDS else _NOBODY) for each in (node.uid, node.gid))  # type: ignore[return-value]

    def _complain(self, node: Node, reason: str) -> None:
        if len(self.unread) < _MAX_UNREAD:
            self.unread.append(Unread(path=printable(node.path[:500]), reason=reason))


def _may_be_target(target: str) -> bool:
    """Tell whether a symbolic link may hold a text: symlink(2)."""
    return 0 < len(os.fsencode(target)) < _PATH_MAX and "\0" not in target


def extract(
    image: Image, target: Path, options: ExtractOptions | None = None, stop: Callable[[], bool] = lambda: False
) -> list[Unread]:
    """Lay out the tree of an image in a new directory and return what is not in it.

    :param target: made here; what is there must not be
    :param stop: asked again and again; when it says yes, the extraction ends with an error
    :raises ImageError: when a file cannot be read, a bound is passed or there is no room
    """
    extraction = _Extraction(image, options or ExtractOptions(), stop)
    try:
        target.mkdir(mode=0o700)
        root = os.open(target, _DIRECTORY)
        try:
            extraction.run(root)
        finally:
            os.close(root)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        msg = f"the image cannot be laid out in {target}: {reason}"
        raise ImageError(msg, hint=ROOM_HINT) from error
    return [*image.unread, *extraction.unread]
