"""Leads every file of an image past the analyzers that want it."""

import time
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from pratique.analyzers.base import Analyzer, Context, Fact
from pratique.analyzers.catalogue import CATALOGUE
from pratique.analyzers.configuration import check_image
from pratique.analyzers.distribution import find_distribution
from pratique.analyzers.options import Options
from pratique.analyzers.ownership import find_owned
from pratique.image import Image, Kind, Node, printable
from pratique.model import Finding, Package, Unread


class Facts(Struct, frozen=True):
    """What was found in an image."""

    distribution: str
    packages: tuple[Package, ...]
    findings: tuple[Finding, ...]
    unread: tuple[Unread, ...]
    files: int


def analyze(image: Image, options: Options | None = None) -> Facts:
    """Analyse an image within the bounds; what passes one is an ``unread``.

    :raises ImageError: when the image's file can no longer be read
    """
    options = options or Options()
    files = [node for node in image.tree.nodes() if node.kind is Kind.FILE and image.is_readable(node)]
    files.sort(key=lambda file: (file.data_layer, file.offset))
    context = Context(image=image, distribution=find_distribution(image), owned=find_owned(image, files))
    collector = _Collector(options)
    collector.take(check_image(context, files))
    analyzers = [make(context) for make in CATALOGUE.values()]
    end = time.monotonic() + options.deadline_s
    for number, file in enumerate(files):
        if time.monotonic() > end:
            collector.take(
                [Unread("", f"time is up after {options.deadline_s} s, {len(files) - number} files are left")]
            )
            break
        _analyze_file(image, file, [a for a in analyzers if a.wants(file)], collector, options)
    return collector.facts(str(context.distribution), image.unread, len(files))


def _analyze_file(
    image: Image, file: Node, analyzers: list[Analyzer], collector: "_Collector", options: Options
) -> None:
    whole = [analyzer for analyzer in analyzers if analyzer.whole]
    windowed = [analyzer for analyzer in analyzers if not analyzer.whole]
    if whole and file.size > options.max_whole_bytes:
        collector.take([Unread(file.path, f"has {file.size} bytes, more than {options.max_whole_bytes} to parse")])
        whole = []
    if windowed and file.size > options.max_file_bytes:
        collector.take([Unread(file.path, f"has {file.size} bytes, more than {options.max_file_bytes}")])
        windowed = []
    if whole:
        content = image.read(file)
        for analyzer in whole:
            collector.take(analyzer.analyze(file, content))
        if windowed and file.size <= options.window_bytes:
            for analyzer in windowed:
                collector.take(analyzer.analyze(file, content))
            return
    if windowed:
        for content in _windows(image, file, options):
            for analyzer in windowed:
                collector.take(analyzer.analyze(file, content))


def _windows(image: Image, file: Node, options: Options) -> Iterator[bytes]:
    start = 0
    while start < file.size:
        yield image.read(file, start, options.window_bytes)
        if start + options.window_bytes >= file.size:
            return
        start += options.window_bytes - options.overlap_bytes


class _Collector:
    """Sorts facts by their kind, keeps their number bounded and their text printable."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._packages: dict[Package, None] = {}
        self._findings: list[Finding] = []
        self._unread: list[Unread] = []

    def take(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            match fact:
                case Package():
                    self._add_package(fact)
                case Finding():
                    self._add_finding(fact)
                case Unread():
                    self._add_unread(fact)

    def facts(self, distribution: str, unread: Iterable[Unread], files: int) -> Facts:
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
