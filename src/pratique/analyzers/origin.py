"""Which layer of an image brought a package.

A package that has a file of its own came with that file's layer. The databases of dpkg and apk are one file for all
packages, which every layer that installs something replaces: what stood in it before is in the lower layers still.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from pratique.analyzers.options import Options
from pratique.analyzers.packages.apk import parse_entries
from pratique.analyzers.packages.dpkg import parse_stanzas
from pratique.image import Image, Node
from pratique.model import Package

_Installed = frozenset[tuple[str, str]]
_DATABASES: Final[dict[str, Callable[[bytes], Iterable[tuple[str, str]]]]] = {
    "dpkg/status": lambda content: ((one.get("package", ""), one.get("version", "")) for one in parse_stanzas(content)),
    "apk/db/installed": lambda content: ((one.get("P", ""), one.get("V", "")) for one in parse_entries(content)),
}


def with_layers(image: Image, packages: Sequence[Package], options: Options | None = None) -> tuple[Package, ...]:
    """Return the packages with the layer that brought each; -1 where the image does not tell.

    :raises ImageError: when the image's file can no longer be read
    """
    options = options or Options()
    paths = {package.path for package in packages}
    nodes = {path: node for path in paths if (node := image.tree.find(path)) is not None}
    histories = {
        path: _history(image, node, parse, options)
        for path, node in nodes.items()
        for name, parse in _DATABASES.items()
        if path.endswith(name)
    }
    return tuple(
        msgspec.structs.replace(package, layer=_layer(package, nodes.get(package.path), histories.get(package.path)))
        for package in packages
    )


def _layer(package: Package, node: Node | None, history: Sequence[tuple[int, _Installed]] | None) -> int:
    if node is None:
        return -1
    if history is None:
        return node.layer
    layer = -1
    for number, installed in reversed(history):
        if (package.name, package.version) not in installed:
            break
        layer = number
    return layer


def _history(
    image: Image, database: Node, parse: Callable[[bytes], Iterable[tuple[str, str]]], options: Options
) -> list[tuple[int, _Installed]]:
    """Return what each version of a database says, the oldest first; one that cannot be read says nothing."""
    versions = [node for node in image.tree.hidden if node.path == database.path]
    versions = [node for node in versions if node.layer < database.layer]
    versions.sort(key=lambda node: node.layer)
    readable = [
        node for node in (*versions, database) if image.is_readable(node) and node.size <= options.max_whole_bytes
    ]
    return [(node.layer, frozenset(parse(image.read(node)))) for node in readable]
