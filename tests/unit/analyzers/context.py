"""An opened image for analyzers under test."""

import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pratique.analyzers import Context
from pratique.analyzers.base import Analyzer, Fact
from pratique.analyzers.distribution import find_distribution
from pratique.analyzers.ownership import find_owned
from pratique.image import Image, Kind, open_image
from tests.unit.image.archives import archive, entry, symlink, tar

Files = Mapping[str, bytes | str]
"""Path → content, or the target of a symlink as ``str``."""


def opened(files: Files, modes: Mapping[str, int] | None = None, **config: Any) -> Image:
    """An image of one layer; it needs no closing, since its archive has no name any more."""
    modes = modes or {}
    layer = tar(
        *(
            symlink(name, value) if isinstance(value, str) else entry(name, value, mode=modes.get(name, 0o644))
            for name, value in files.items()
        )
    )
    fd, name = tempfile.mkstemp()
    os.close(fd)
    path = Path(name)
    path.write_bytes(archive([layer], **config))
    try:
        return open_image(path)
    finally:
        path.unlink()


def context(files: Files | None = None, modes: Mapping[str, int] | None = None) -> Context:
    image = opened(files or {}, modes)
    nodes = [node for node in image.tree.nodes() if node.kind is Kind.FILE]
    return Context(image=image, distribution=find_distribution(image), owned=find_owned(image, nodes, math.inf))


def facts(make: type[Analyzer], files: Files) -> list[Fact]:
    """What an analyzer says about an image with these files."""
    about = context(files)
    analyzer = make(about)  # type: ignore[call-arg]  # every analyzer of the catalogue takes the context
    return [
        fact
        for node in sorted(about.image.tree.nodes(), key=lambda node: node.path)
        if node.kind is Kind.FILE and analyzer.wants(node)
        for fact in analyzer.analyze(node, about.image.read(node))
    ]
