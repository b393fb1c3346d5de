"""Installed Python distributions. Source: PyPA specifications, "Recording installed projects", "Core metadata"."""

from collections.abc import Iterable
from typing import Final

from packaging.utils import canonicalize_name

from pratique.analyzers.base import Analyzer, Context, Fact
from pratique.analyzers.packages.fields import lines, plain, purl, words
from pratique.image import Node
from pratique.model import Package, Unread

METADATA: Final = (".dist-info/METADATA", ".egg-info/PKG-INFO", ".egg-info")


class Python(Analyzer):
    """``*.dist-info/METADATA`` and ``*.egg-info``; what a distribution's package owns is left to that package."""

    whole = True

    def __init__(self, context: Context) -> None:
        self._owned = context.owned

    def wants(self, file: Node) -> bool:
        """Want the metadata of an installed package that no distribution's package owns."""
        return file.path.endswith(METADATA) and file.path not in self._owned

    def analyze(self, file: Node, content: bytes) -> Iterable[Fact]:
        """Yield the package, under its normalised name."""
        fields: dict[str, str] = {}
        for line in lines(content):
            if not line.strip():
                break
            name, _, value = line.partition(":")
            fields.setdefault(name.lower(), value.strip())
        name, version = plain(fields.get("name", "")), plain(fields.get("version", ""))
        if not name or not version:
            yield Unread(file.path, "Python metadata without a valid name or version")
            return
        name = canonicalize_name(name)
        yield Package(
            name=name,
            version=version,
            ecosystem="PyPI",
            purl=purl("pypi", "", name, version),
            path=file.path,
            license=words(fields.get("license-expression", "") or fields.get("license", "").removeprefix("UNKNOWN")),
        )
