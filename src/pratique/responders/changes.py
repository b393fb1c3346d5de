"""What a container wrote into its own layer, read from the host's side of it.

The layer's folder is the engine's; what lies in it is the container's. So names are opened one by one, never through a
symbolic link, and only regular files are read: a device or a pipe is not even opened for reading.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

MAX_ENTRIES: Final = 50_000
MAX_DEPTH: Final = 64
_OPAQUE: Final = "trusted.overlay.opaque"
_FLAGS: Final = os.O_CLOEXEC | os.O_NOFOLLOW


class Change(Struct, frozen=True):
    """Something in the layer of a container."""

    path: str
    kind: str
    """``file``, ``folder``, ``link``, ``removed``, ``device``, ``pipe``, ``socket``."""
    mode: str
    uid: int
    gid: int
    size: int
    modified_at: float
    target: str = ""
    """Where a link leads."""
    replaces: bool = False
    """A folder that hides that of the image."""


def walk(layer: Path) -> Iterator[tuple[Change, int | None]]:
    """Yield what is in a layer, in order; with a regular file a descriptor to read it, good until the next one.

    At most :data:`MAX_ENTRIES`, at most :data:`MAX_DEPTH` deep.
    """
    root = os.open(layer, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for count, found in enumerate(_walk(root, "", 0)):
            if count >= MAX_ENTRIES:
                return
            yield found
    finally:
        os.close(root)


def _walk(folder: int, prefix: str, depth: int) -> Iterator[tuple[Change, int | None]]:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for _, entry in zip(range(MAX_ENTRIES), entries, strict=False))
    for name in names:
        try:
            place = os.open(name, os.O_PATH | _FLAGS, dir_fd=folder)
        except OSError:
            continue  # it is gone
        try:
            yield from _entry(place, f"{prefix}/{name}", depth)
        finally:
            os.close(place)


def _entry(place: int, path: str, depth: int) -> Iterator[tuple[Change, int | None]]:
    facts = os.fstat(place)
    if stat.S_ISREG(facts.st_mode):
        content = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield _change(path, "file", facts), content
        finally:
            os.close(content)
    elif stat.S_ISDIR(facts.st_mode):
        inside = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield _change(path, "folder", facts, replaces=_is_opaque(inside)), None
            if depth < MAX_DEPTH:
                yield from _walk(inside, path, depth + 1)
        finally:
            os.close(inside)
    elif stat.S_ISLNK(facts.st_mode):
        yield (
            _change(path, "link", facts, target=os.readlink("", dir_fd=place)),
            None,
        )  # by name it may be another by now
    elif stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0:
        yield _change(path, "removed", facts), None  # overlayfs writes a whiteout so
    else:
        kinds = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
        yield _change(path, kinds.get(stat.S_IFMT(facts.st_mode), "device"), facts), None


def _change(path: str, kind: str, facts: os.stat_result, *, target: str = "", replaces: bool = False) -> Change:
    path, target = (text.encode(errors="replace").decode() for text in (path, target))
    mode = stat.filemode(facts.st_mode)
    return Change(path, kind, mode, facts.st_uid, facts.st_gid, facts.st_size, facts.st_mtime, target, replaces)


def _is_opaque(folder: int) -> bool:
    try:
        return os.getxattr(folder, _OPAQUE) == b"y"
    except OSError:
        return False
