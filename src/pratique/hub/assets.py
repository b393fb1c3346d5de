"""The console's style sheets, scripts and pictures, held in memory.

One hash over all of them stands in each address: they can be cached for ever, modules may import each other by relative
names, and a request is answered by a look-up, so that no path of a stranger ever reaches the file system.
"""

import gzip
import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from msgspec import Struct

PREFIX: Final = "/static"

_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
"""Files of any other kind are not served."""


class File(Struct, frozen=True):
    """One file, ready to be sent."""

    body: bytes
    gzipped: bytes
    media_type: str


class Assets:
    """All files under ``static``, by their name relative to it: ``css/console.css``."""

    def __init__(self, content: dict[str, bytes]) -> None:
        digest = hashlib.sha256()
        for name in sorted(content):
            digest.update(f"{name}\0{len(content[name])}\0".encode() + content[name])
        self.version = digest.hexdigest()[:16]
        self._files = {
            name: File(body, gzip.compress(body, mtime=0), media_type)
            for name, body in content.items()
            if (media_type := _MEDIA_TYPES.get(name[name.rfind(".") :]))
        }

    def url(self, name: str) -> str:
        """Return the address of a file.

        :raises KeyError: when there is no such file: a mistake in a template
        """
        self._files[name]
        return f"{PREFIX}/{self.version}/{name}"

    def find(self, version: str, name: str) -> File | None:
        """Return the file that a request asks for; None when there is none, or not of this version."""
        return self._files.get(name) if version == self.version else None


@cache
def load() -> Assets:
    """Read the files that are part of this package, once."""
    content: dict[str, bytes] = {}
    _read(files(__package__) / "static", "", content)
    return Assets(content)


def _read(folder: Traversable, prefix: str, content: dict[str, bytes]) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            _read(entry, f"{prefix}{entry.name}/", content)
        else:
            content[f"{prefix}{entry.name}"] = entry.read_bytes()
