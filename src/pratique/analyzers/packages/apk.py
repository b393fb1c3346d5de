"""Alpine's packages. Source: apk-package(5), "installed": one-letter fields, an empty line between packages."""

from collections.abc import Iterable, Iterator
from typing import Final

from pratique.analyzers.base import Analyzer, Context, Fact
from pratique.analyzers.packages.fields import lines, plain, purl, words
from pratique.image import Node
from pratique.model import Package, Unread

_PATHS: Final = ("lib/apk/db/installed", "usr/lib/apk/db/installed")

_FIELDS: Final = "PVAoL"


class Apk(Analyzer):
    """``/lib/apk/db/installed``, wherever symlinks put it."""

    whole = True

    def __init__(self, context: Context) -> None:
        self._distribution = context.distribution
        found = [context.image.tree.find(path) for path in _PATHS]
        self._paths = {node.path for node in found if node is not None}

    def wants(self, file: Node) -> bool:
        """Want the database."""
        return file.path in self._paths

    def analyze(self, file: Node, content: bytes) -> Iterable[Fact]:
        """Yield the packages."""
        for number, fields in enumerate(parse_entries(content), start=1):
            yield self._package(fields, file.path) or Unread(file.path, f"entry {number} has no valid name or version")

    def _package(self, fields: dict[str, str], path: str) -> Package | None:
        name, version = plain(fields.get("P", "")), plain(fields.get("V", ""))
        if not name or not version:
            return None
        architecture = plain(fields.get("A", ""))
        distro = f"alpine-{self._distribution.version}" if self._distribution.version else "alpine"
        return Package(
            name=name,
            version=version,
            ecosystem=self._distribution.ecosystem or "Alpine",
            purl=purl("apk", self._distribution.id or "alpine", name, version, arch=architecture, distro=distro),
            source_name=plain(fields.get("o", "")) or name,
            source_version=version,
            architecture=architecture,
            path=path,
            license=words(fields.get("L", "")),
        )


def parse_entries(content: bytes) -> Iterator[dict[str, str]]:
    """Yield each package's fields of interest by their letter; one without any is yielded empty."""
    fields: dict[str, str] = {}
    inside = False
    for line in lines(content):
        if not line.strip():
            if inside:
                yield fields
            fields, inside = {}, False
            continue
        inside = True
        if line[1:2] == ":" and line[0] in _FIELDS:
            fields[line[0]] = line[2:].strip()
    if inside:
        yield fields
