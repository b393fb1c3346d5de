"""Debian's packages. Source: dpkg(1) and deb-control(5); ``status.d`` is the form of distroless images."""

from collections.abc import Iterable, Iterator
from typing import Final

from pratique.analyzers.base import Analyzer, Context, Fact
from pratique.analyzers.packages.fields import lines, plain, purl
from pratique.image import Node
from pratique.model import Package, Unread

_STATUS: Final = "var/lib/dpkg/status"
_STATUS_D: Final = "var/lib/dpkg/status.d"
_NOT_THERE: Final = ("not-installed", "config-files")
_FIELDS: Final = ("package", "version", "status", "source", "architecture")


class Dpkg(Analyzer):
    """``/var/lib/dpkg/status`` and ``status.d``, wherever symlinks put them."""

    whole = True

    def __init__(self, context: Context) -> None:
        self._distribution = context.distribution
        status = context.image.tree.find(_STATUS)
        directory = context.image.tree.find(_STATUS_D)
        self._status = status.path if status else ""
        self._directory = f"{directory.path}/" if directory else ""

    def wants(self, file: Node) -> bool:
        """Want the status file, and those of ``status.d`` but for checksums."""
        if self._directory and file.path.startswith(self._directory):
            return not file.path.endswith(".md5sums")
        return file.path == self._status

    def analyze(self, file: Node, content: bytes) -> Iterable[Fact]:
        """Yield the packages that are there; those removed but for their settings are not."""
        for number, stanza in enumerate(parse_stanzas(content), start=1):
            if stanza.get("status", "installed").rpartition(" ")[2] in _NOT_THERE:
                continue
            package = self._package(stanza, file.path)
            yield package or Unread(file.path, f"entry {number} has no valid name or version")

    def _package(self, stanza: dict[str, str], path: str) -> Package | None:
        name, version = plain(stanza.get("package", "")), plain(stanza.get("version", ""))
        if not name or not version:
            return None
        source, _, source_version = stanza.get("source", "").partition(" ")
        distribution = self._distribution
        architecture = plain(stanza.get("architecture", ""))
        distro = f"{distribution.id}-{distribution.version}" if distribution.version else distribution.id
        return Package(
            name=name,
            version=version,
            ecosystem=distribution.ecosystem or "Debian",
            purl=purl("deb", distribution.id or "debian", name, version, arch=architecture, distro=distro),
            source_name=plain(source) or name,
            source_version=plain(source_version.strip("()")) or version,
            architecture=architecture,
            path=path,
        )


def parse_stanzas(content: bytes) -> Iterator[dict[str, str]]:
    """Yield each stanza's fields of interest, by lower-case name; continuation lines are passed over."""
    stanza: dict[str, str] = {}
    for line in lines(content):
        if not line.strip():
            if stanza:
                yield stanza
                stanza = {}
        elif not line[0].isspace():
            name, _, value = line.partition(":")
            if name.lower() in _FIELDS:
                stanza[name.lower()] = value.strip()
    if stanza:
        yield stanza
