"""A feature that runs: its maps, programs and links, pinned so that they outlive this process, and its rings.

Pins: ``<pins>/<feature>/<first 16 digits of the blob's digest>/{map,program,link}-<name>``. The directory gets its name
by a rename when everything is in it, so that a half-made one is never adopted. bpffs forbids dots in names.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from pratique.errors import KernelError
from pratique.sensor.blob import Blob, Loaded, load, read_blob
from pratique.sensor.feature import Feature, attach_program
from pratique.sensor.kernel import end_link, open_pinned, pin
from pratique.sensor.maps import Map
from pratique.sensor.ring import Ring
from pratique.sensor.tables import Tables

_UNFINISHED: Final = "unfinished"
_DAMAGED: Final = "damaged"
_LINK: Final = "link-"


class Live:
    """One running feature."""

    def __init__(self, feature: Feature, blob: Blob, loaded: Loaded, links: dict[str, int], directory: Path) -> None:
        self.feature = feature
        self.maps = loaded.maps
        self.tables = Tables(feature, loaded.maps)
        self.rings = [Ring(self.maps[name].fd, self.maps[name].max_entries) for name in feature.rings]
        self._blob = blob
        self._loaded = loaded
        self._links = links
        self._directory = directory

    @classmethod
    def prepare(cls, feature: Feature, pins: Path) -> Self:
        """Adopt a feature that runs already, or load it. What is loaded does nothing before :meth:`attach`.

        :raises KernelError: when the kernel refuses, with nothing of it left behind
        """
        blob = read_blob(feature.name)
        directory = pins / feature.name / blob.digest[:16]
        if directory.is_dir():
            try:
                return cls._adopt(feature, blob, directory)
            except KernelError:
                # Pins are missing. What is left goes on until the new one runs.
                remove_pins(directory.with_name(_DAMAGED))
                directory.rename(directory.with_name(_DAMAGED))
        unfinished = directory.with_name(_UNFINISHED)
        remove_pins(unfinished)
        loaded = load(blob)
        return cls(feature, blob, loaded, {}, unfinished)

    @classmethod
    def _adopt(cls, feature: Feature, blob: Blob, directory: Path) -> Self:
        header = blob.header
        loaded = Loaded(
            maps={item.name: Map(open_pinned(directory / _pin_name("map", item.name))) for item in header.maps},
            programs={item.name: open_pinned(directory / _pin_name("program", item.name)) for item in header.programs},
        )
        links = {
            entry.name.removeprefix(_LINK): open_pinned(entry)
            for entry in directory.iterdir()
            if entry.name.startswith(_LINK)
        }
        return cls(feature, blob, loaded, links, directory)

    def attach(self, cgroups: Mapping[int, int]) -> None:
        """Begin to run, with the tables as they are; then end what an older build left.

        :param cgroups: the cgroups to attach to: id → descriptor of the directory
        :raises KernelError: when the kernel refuses
        """
        if self._directory.name == _UNFINISHED:
            self._directory.mkdir(parents=True, mode=0o700)
            for name, item in self.maps.items():
                pin(item.fd, self._directory / _pin_name("map", name))
            for name, fd in self._loaded.programs.items():
                pin(fd, self._directory / _pin_name("program", name))
            self._links = self.feature.attach(self._loaded, self._blob.header, cgroups)
            for name, fd in self._links.items():
                pin(fd, self._directory / f"{_LINK}{name}")
            self._directory = self._directory.rename(self._directory.with_name(self._blob.digest[:16]))
        else:
            self._follow(cgroups)
        for other in self._directory.parent.iterdir():
            if other != self._directory:
                remove_pins(other)

    def _follow(self, cgroups: Mapping[int, int]) -> None:
        """Attach to parents that are new since the links were made, let go of those that are none any more."""
        wanted = {str(cgroup) for cgroup in cgroups}
        for program in self._blob.header.programs:
            if not program.section.startswith("cgroup"):
                continue
            missing = {c: fd for c, fd in cgroups.items() if f"{program.name}@{c}" not in self._links}
            for name, fd in attach_program(self._loaded.programs[program.name], program, missing).items():
                self.add(name, fd)
        for name in list(self._links):
            _, separator, cgroup = name.partition("@")
            if separator and cgroup.isdigit() and cgroup not in wanted:
                self.remove(name)

    def program(self, name: str) -> int:
        """Return the descriptor of a program."""
        return self._loaded.programs[name]

    def names(self) -> set[str]:
        """Return the names of the links there are."""
        return set(self._links)

    def add(self, name: str, fd: int) -> None:
        """Keep and pin a new link."""
        pin(fd, self._directory / f"{_LINK}{name}")
        self._links[name] = fd

    def remove(self, name: str) -> None:
        """End a link, if it is there."""
        fd = self._links.pop(name, None)
        if fd is not None:
            path = self._directory / f"{_LINK}{name}"
            if path.exists():
                end_link(path)
            os.close(fd)

    def close(self, *, keep: bool) -> None:
        """Close everything; ``keep``: what runs goes on in the kernel, else it is lifted."""
        if not keep or self._directory.name == _UNFINISHED:
            remove_pins(self._directory)
            with contextlib.suppress(OSError):
                self._directory.parent.rmdir()
        self.feature.close()
        for ring in self.rings:
            ring.close()
        for fd in self._links.values():
            os.close(fd)
        self._links.clear()
        self._loaded.close()


def remove_pins(directory: Path) -> None:
    """Remove a directory of pins; links first, so that no program runs without what it reads."""
    if not directory.is_dir():
        return
    for entry in sorted(directory.iterdir(), key=lambda entry: not entry.name.startswith(_LINK)):
        if entry.is_dir():
            remove_pins(entry)
        elif entry.name.startswith(_LINK):
            end_link(entry)
        else:
            entry.unlink()
    directory.rmdir()


def _pin_name(kind: str, name: str) -> str:
    return f"{kind}-{name.replace('.', '-')}"
