"""Where the programs of a run come from: who wrote the file, and whether he makes programs."""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from itertools import islice, takewhile
from typing import Final

from msgspec import Struct

from pratique.detections.lookups import Lookups
from pratique.detections.shells import DOWNLOADERS
from pratique.model import ExecEvent, ExecFlag, RecordedEvent, SensorEvent, WriteEvent

SKEW_S: Final = 0.5
"""What one instrument tells may be that much late to what another tells."""
_MAKERS: Final = re.compile(r"(?:[\w.]+-)*(?:ld(?:\.\w+)?|gold|lld|mold|strip|objcopy|dpkg|dpkg-deb|apk|rpm)")
"""Linkers and what finishes their work; package managers."""
_HALF_INSTALLED: Final = (".dpkg-new", ".dpkg-tmp", ".apk-new")
_BELOW: Final = re.compile(r"^(?:\.{0,2}/)+")
_FOREIGN: Final = ExecFlag.UPPER | ExecFlag.MEMFD | ExecFlag.NOT_OVERLAY


class _Files(Struct, frozen=True):
    """What is known of the files that a name may mean."""

    first: WriteEvent | None
    """The first one's writer."""
    made: bool
    """All were written by makers."""
    fetched: WriteEvent | None
    """The first that was fetched from the network."""


class Provenance:
    """Which program each process was when, and who wrote which file. It knows the whole run from the beginning."""

    def __init__(self, sensed: Iterable[SensorEvent], recorded: Iterable[RecordedEvent], lookups: Lookups) -> None:
        self._lookups = lookups
        self._programs: dict[int, list[ExecEvent]] = defaultdict(list)
        for event in sorted((event for event in sensed if isinstance(event, ExecEvent)), key=_time):
            self._programs[event.pid].append(event)
        self._writes: dict[str, WriteEvent] = {}
        for write in sorted((event for event in recorded if isinstance(event, WriteEvent)), key=_time):
            path = _installed(write.path)
            if write.pid or path not in self._writes:  # nobody: it was renamed, or closed after the end
                self._writes[path] = write
        self._reversed = sorted(path[::-1] for path in self._writes)
        """Whoever executes names a file as he likes, such as ``./hello``: so paths are found by their ends."""
        self._files: dict[str, _Files] = {}
        """End of a path → what is known of the files that have it; each is looked up once, however often it is run."""

    def is_installed(self, event: WriteEvent) -> bool:
        """Tell whether a file was written by a maker, or found in its place after one had written it."""
        if event.pid:
            return self._is_maker(event.pid, event.at)
        known = self._writes.get(_installed(event.path))
        return known is not None and self._is_maker(known.pid, known.at)

    def is_made(self, event: ExecEvent) -> bool:
        """Tell whether what is executed was made here by a maker, or is run by a package manager as its own script."""
        files = self._files_at(event.filename)
        return files.made if files.first else self._is_maker(event.parent, event.at)

    def writer(self, path: str) -> WriteEvent | None:
        """Return who wrote a file in this run, as it is named where it is executed."""
        return self._files_at(path).first

    def fetched(self, path: str, at: float) -> WriteEvent | None:
        """Return who had fetched a file from the network, as it is named where it is run."""
        write = self._files_at(path).fetched
        return write if write is not None and write.at <= at + SKEW_S else None

    def runs(self, *programs: str) -> bool:
        """Tell whether a program of the image of one of these names was started, busybox' applets among them."""
        return any(_is_called(event, programs) for events in self._programs.values() for event in events)

    def _is_fetched(self, write: WriteEvent) -> bool:
        return write.command in DOWNLOADERS or _name(write.path) in self._lookups.files

    def _is_maker(self, pid: int, at: float) -> bool:
        """Tell whether a process is, at that time, a linker or a package manager as it is in the image."""
        programs = self._programs.get(pid)
        if not programs:
            return False
        program = programs[max(0, bisect_right(programs, at, key=_time) - 1)]
        return not program.flags & _FOREIGN and bool(_MAKERS.fullmatch(_name(program.filename)))

    def _files_at(self, path: str) -> "_Files":
        """Return what is known of a file; where it is named from somewhere, of every file that it may be."""
        end = path if path.startswith("/") else f"/{_BELOW.sub('', path)}"
        key = path if path.startswith("/") else end[1:]
        found = self._files.get(key)
        if found is None:
            found = self._files[key] = self._look_up(end, whole=path.startswith("/"))
        return found

    def _look_up(self, end: str, *, whole: bool) -> "_Files":
        if whole:
            writes = [self._writes[end]] if end in self._writes else []
        else:
            start = bisect_left(self._reversed, end[::-1])
            paths = takewhile(lambda known: known.startswith(end[::-1]), islice(self._reversed, start, None))
            writes = sorted((self._writes[known[::-1]] for known in paths), key=_time)
        return _Files(
            first=next(iter(writes), None),
            made=all(self._is_maker(write.pid, write.at) for write in writes),
            fetched=next((write for write in writes if self._is_fetched(write)), None),
        )


def _time(event: ExecEvent | WriteEvent) -> float:
    return event.at


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _installed(path: str) -> str:
    """Return where a package manager puts what it first writes beside it."""
    for suffix in _HALF_INSTALLED:
        path = path.removesuffix(suffix)
    return path


def _is_called(event: ExecEvent, programs: tuple[str, ...]) -> bool:
    if event.flags & (ExecFlag.UPPER | ExecFlag.MEMFD):
        return False
    called = [_name(word) for word in (event.filename, *event.arguments[:2])]
    return called[0] in programs or (called[0] in {"busybox", "exe"} and any(name in programs for name in called[1:]))
