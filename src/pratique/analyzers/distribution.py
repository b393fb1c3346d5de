"""Which distribution an image is of. Source: os-release(5)."""

import re
from typing import Final

from msgspec import Struct

from pratique.image import Image, Kind
from pratique.text import printable

_MAX_BYTES: Final = 64 << 10
_LINE: Final = re.compile(r"^([A-Z_]+)=(.*)$", re.MULTILINE)
_ID: Final = re.compile(r"[a-z0-9._-]{1,40}")
_VERSION: Final = re.compile(r"[0-9a-zA-Z._-]{1,40}")


class Distribution(Struct, frozen=True):
    """A distribution; both fields empty when the image does not say."""

    id: str = ""
    version: str = ""

    def __str__(self) -> str:
        """``debian 12``."""
        return f"{self.id} {self.version}".strip()

    @property
    def ecosystem(self) -> str:
        """The name in OSV with the release: ``Debian:12``, ``Ubuntu:22.04``, ``Alpine:v3.19``; else the id."""
        if self.id == "debian":
            return f"Debian:{self.version.partition('.')[0]}" if self.version else "Debian"
        if self.id == "ubuntu":
            return f"Ubuntu:{self.version}" if self.version else "Ubuntu"
        if self.id == "alpine":
            return f"Alpine:v{'.'.join(self.version.split('.')[:2])}" if self.version else "Alpine"
        return self.id


def find_distribution(image: Image) -> Distribution:
    """Read ``/etc/os-release``, which may be a symlink, else ``/usr/lib/os-release``."""
    for path in ("etc/os-release", "usr/lib/os-release"):
        node = image.tree.find(path)
        if node is not None and node.kind is Kind.FILE and image.is_readable(node):
            return parse_os_release(image.read(node, 0, _MAX_BYTES))
    return Distribution()


def parse_os_release(content: bytes) -> Distribution:
    """Return what ``ID`` and ``VERSION_ID`` say; values that are not plain words are left out."""
    values = {key: value.strip().strip("\"'") for key, value in _LINE.findall(content.decode(errors="replace"))}
    name, version = values.get("ID", ""), values.get("VERSION_ID", "")
    return Distribution(
        id=printable(name) if _ID.fullmatch(name) else "",
        version=printable(version) if _VERSION.fullmatch(version) else "",
    )
