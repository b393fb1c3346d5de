"""Installed Node packages. Source: npm documentation, "package.json" and "folders"."""

from codecs import BOM_UTF8
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from pratique.analyzers.base import Analyzer, Context, Fact
from pratique.analyzers.packages.fields import plain, purl, words
from pratique.image import Node as File
from pratique.model import Package, Unread

MANIFEST: Final = "package.json"
_FOLDER: Final = "node_modules"


class _Manifest(Struct):
    """The fields that published packages have; other files of that name may hold anything in them."""

    name: object = ""
    version: object = ""
    license: object = ""


class Node(Analyzer):
    """``node_modules/NAME/package.json``; one elsewhere is a project or no npm package at all."""

    whole = True

    def __init__(self, context: Context) -> None:
        self._owned = context.owned

    def wants(self, file: File) -> bool:
        """Want the manifest of an installed package that no distribution's package owns."""
        return is_installed(file.path) and file.path not in self._owned

    def analyze(self, file: File, content: bytes) -> Iterable[Fact]:
        """Yield the package, if it has a name and a version."""
        try:
            manifest = msgspec.json.decode(content.removeprefix(BOM_UTF8), type=_Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Unread(file.path, f"not a valid package.json: {error}")
            return
        name, version = (plain(field) if isinstance(field, str) else "" for field in (manifest.name, manifest.version))
        if not name or not version:
            return  # marks a folder's module type, as many packages do in sub-folders of theirs
        namespace, slash, bare = name.partition("/")
        yield Package(
            name=name,
            version=version,
            ecosystem="npm",
            purl=purl("npm", namespace, bare, version) if slash else purl("npm", "", name, version),
            path=file.path,
            license=words(manifest.license) if isinstance(manifest.license, str) else "",
        )


def is_installed(path: str) -> bool:
    """Tell whether a path is the manifest of an installed package: ``node_modules/[@SCOPE/]NAME/package.json``."""
    if not path.endswith(f"/{MANIFEST}"):
        return False
    parts = path.split("/")
    return parts[-3:-2] == [_FOLDER] or (parts[-4:-3] == [_FOLDER] and parts[-3].startswith("@"))
