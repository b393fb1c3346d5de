"""Where programs of a run come from: who wrote the file, and whether he makes programs. Memory is bounded."""

import re
from typing import Final

from pratique.model import ExecEvent, ExecFlag, WriteEvent

MAX_TRACKED: Final = 20_000
_MAKERS: Final = re.compile(r"(?:[\w.]+-)*(?:ld(?:\.\w+)?|gold|lld|mold|strip|objcopy|dpkg|dpkg-deb|apk|rpm)")
"""Linkers and what finishes their work; package managers."""
_HALF_INSTALLED: Final = (".dpkg-new", ".dpkg-tmp", ".apk-new")


class Provenance:
    """Remembers which program each process is, and who wrote which file."""

    def __init__(self) -> None:
        self._programs: dict[int, ExecEvent] = {}
        self._writes: dict[str, tuple[WriteEvent, bool]] = {}

    def executed(self, event: ExecEvent) -> None:
        """Remember what a process is now."""
        if len(self._programs) < MAX_TRACKED or event.pid in self._programs:
            self._programs[event.pid] = event

    def wrote(self, event: WriteEvent) -> None:
        """Remember who wrote a file; what somebody else adds to it later makes it his."""
        path = event.path
        for suffix in _HALF_INSTALLED:
            path = path.removesuffix(suffix)
        if len(self._writes) < MAX_TRACKED or path in self._writes:
            self._writes[path] = (event, self.is_maker(event.pid))

    def is_maker(self, pid: int) -> bool:
        """Tell whether a process is a linker or a package manager, as it is in the image."""
        program = self._programs.get(pid)
        if program is None or program.flags & (ExecFlag.UPPER | ExecFlag.MEMFD | ExecFlag.NOT_OVERLAY):
            return False
        return bool(_MAKERS.fullmatch(program.filename.rsplit("/", 1)[-1]))

    def is_made(self, event: ExecEvent) -> bool:
        """Tell whether what is executed was made here by a maker, or is run by a package manager as its own script."""
        write = self._writes.get(event.filename)
        return write[1] if write else self.is_maker(event.parent)

    def writer(self, path: str) -> WriteEvent | None:
        """Return who wrote a file in this run."""
        write = self._writes.get(path)
        return write[0] if write else None

    def runs(self, *programs: str) -> bool:
        """Tell whether a program of the image of one of these names was started, busybox' applets among them."""
        return any(_is_called(event, programs) for event in self._programs.values())


def _is_called(event: ExecEvent, programs: tuple[str, ...]) -> bool:
    if event.flags & (ExecFlag.UPPER | ExecFlag.MEMFD):
        return False
    words = (event.filename, *event.arguments[:2])
    called = [word.rsplit("/", 1)[-1] for word in words]
    return called[0] in programs or (called[0] == "busybox" and any(name in programs for name in called[1:]))
