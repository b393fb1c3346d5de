"""Sorts facts by their kind, and keeps their number bounded and their text printable."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from pratique.analyzers.base import Fact
from pratique.analyzers.options import Options
from pratique.model import Finding, Package, Unread
from pratique.text import printable


class Facts(Struct, frozen=True):
    """What was found in an image."""

    distribution: str
    packages: tuple[Package, ...]
    findings: tuple[Finding, ...]
    unread: tuple[Unread, ...]
    files: int


class Collector:
    """Takes facts one by one."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._packages: dict[Package, None] = {}
        self._findings: list[Finding] = []
        self._unread: list[Unread] = []

    def take(self, facts: Iterable[Fact]) -> None:
        """Add facts."""
        for fact in facts:
            match fact:
                case Package():
                    self._add_package(fact)
                case Finding():
                    self._add_finding(fact)
                case Unread():
                    self._add_unread(fact)

    def facts(self, distribution: str, unread: Iterable[Unread], files: int) -> Facts:
        """Return all of it; ``unread`` is what the image's reader had to leave out."""
        return Facts(
            distribution=distribution,
            packages=tuple(sorted(self._packages, key=lambda p: (p.ecosystem, p.name, p.version, p.path))),
            findings=tuple(self._findings),
            unread=(*unread, *self._unread),
            files=files,
        )

    def _add_package(self, package: Package) -> None:
        if len(self._packages) < self._options.max_packages:
            self._packages[msgspec.structs.replace(package, path=printable(package.path))] = None
        elif not self._unread or self._unread[-1].path != package.path:
            self._add_unread(Unread(package.path, f"more than {self._options.max_packages} packages"))

    def _add_finding(self, finding: Finding) -> None:
        if len(self._findings) < self._options.max_findings:
            self._findings.append(msgspec.structs.replace(finding, path=printable(finding.path)))

    def _add_unread(self, unread: Unread) -> None:
        if len(self._unread) < self._options.max_unread:
            self._unread.append(Unread(path=printable(unread.path)[:500], reason=printable(unread.reason)[:300]))
