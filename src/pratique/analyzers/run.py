"""Leads every file of an image past the analyzers that want it."""

import time
from collections.abc import Iterable, Iterator

import msgspec

from pratique.analyzers.base import Analyzer, Context, Fact
from pratique.analyzers.catalogue import CATALOGUE
from pratique.analyzers.collect import Collector, Facts
from pratique.analyzers.configuration import check_image
from pratique.analyzers.distribution import find_distribution
from pratique.analyzers.options import Options
from pratique.analyzers.ownership import find_owned
from pratique.image import Image, Kind, Node
from pratique.model import Finding, Unread


def analyze(image: Image, options: Options | None = None) -> Facts:
    """Analyse an image within the bounds; what passes one is an ``unread``.

    :raises ImageError: when the image's file can no longer be read
    """
    options = options or Options()
    end = time.monotonic() + options.deadline_s
    files = _in_order(image, image.tree.nodes())
    hidden = _in_order(image, image.tree.hidden)
    context = Context(image=image, distribution=find_distribution(image), owned=find_owned(image, files, end))
    analyzers = [make(context) for make in CATALOGUE.values()]
    collector = Collector(options)
    collector.take(check_image(context, files))
    collector.take(_facts(image, files, analyzers, options, end))
    deep = [analyzer for analyzer in analyzers if analyzer.sees_hidden]
    collector.take(map(_as_hidden, _facts(image, hidden, deep, options, end)))
    return collector.facts(str(context.distribution), image.unread, len(files))


def _in_order(image: Image, nodes: Iterable[Node]) -> list[Node]:
    """Return the readable files in the order of their bytes, so that the disk reads ahead."""
    files = [node for node in nodes if node.kind is Kind.FILE and image.is_readable(node)]
    files.sort(key=lambda file: (file.data_layer, file.offset))
    return files


def _facts(image: Image, files: list[Node], analyzers: list[Analyzer], options: Options, end: float) -> Iterator[Fact]:
    for number, file in enumerate(files):
        if time.monotonic() > end:
            yield Unread("", f"time is up after {options.deadline_s} s, {len(files) - number} files are left")
            return
        wanted = [analyzer for analyzer in analyzers if analyzer.wants(file)]
        yield from _parsed(image, file, [analyzer for analyzer in wanted if analyzer.whole], options)
        yield from _looked_through(image, file, [analyzer for analyzer in wanted if not analyzer.whole], options, end)


def _parsed(image: Image, file: Node, analyzers: list[Analyzer], options: Options) -> Iterator[Fact]:
    if analyzers and file.size > options.max_whole_bytes:
        yield Unread(file.path, f"has {file.size} bytes, more than {options.max_whole_bytes} to parse")
    elif analyzers:
        content = image.read(file)
        for analyzer in analyzers:
            yield from analyzer.analyze(file, content)


def _looked_through(
    image: Image, file: Node, analyzers: list[Analyzer], options: Options, end: float
) -> Iterator[Fact]:
    if analyzers and file.size > options.max_file_bytes:
        yield Unread(file.path, f"has {file.size} bytes, more than {options.max_file_bytes}")
        return
    for content in _windows(image, file, options) if analyzers else ():
        if time.monotonic() > end:
            yield Unread(file.path, "time is up in the middle of this file")
            return
        for analyzer in analyzers:
            yield from analyzer.analyze(file, content)


def _windows(image: Image, file: Node, options: Options) -> Iterator[bytes]:
    start = 0
    while start < file.size:
        yield image.read(file, start, options.window_bytes)
        if start + options.window_bytes >= file.size:
            return
        start += options.window_bytes - options.overlap_bytes


def _as_hidden(fact: Fact) -> Fact:
    """Say of a finding that the file is gone from containers, but not from the image."""
    if not isinstance(fact, Finding):
        return fact
    return msgspec.structs.replace(fact, evidence=f"{fact.evidence}; a later layer removes it, the image still has it")
