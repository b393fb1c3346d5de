"""Which files of an image its distribution's packages brought.

Sources: dpkg-query(1) (``info/*.list``), apk-package(5).

A set-uid program that no package owns is worth a finding; a Python or Node package that a distribution's package owns
is not to be matched against PyPI's or npm's advisories, since distributions mend without a new version.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Final

from pratique.analyzers.packages.fields import lines
from pratique.analyzers.packages.node import is_installed
from pratique.analyzers.packages.python import METADATA
from pratique.image import Image, Kind, Node

_INFO: Final = "var/lib/dpkg/info"
_INSTALLED: Final = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
_MAX_LIST_BYTES: Final = 32 << 20
SET_ID: Final = 0o6000


def is_in_question(file: Node) -> bool:
    """Tell whether anybody asks who owns a file."""
    return bool(file.mode & SET_ID) or file.path.endswith(METADATA) or is_installed(file.path)


def find_owned(image: Image, files: Iterable[Node], end: float) -> frozenset[str]:
    """Return the paths of those ``files`` in question that a package of the distribution owns.

    :param end: of the time for it (``time.monotonic``); what is not found until then counts as not owned
    """
    in_question = {file.path for file in files if is_in_question(file)}
    if not in_question:
        return frozenset()
    names = {path.rpartition("/")[2] for path in in_question}
    owned: set[str] = set()
    for path in _listed(image):
        if time.monotonic() > end:
            break
        if path.rpartition("/")[2] in names:
            node = image.tree.find(path)  # lists name /bin/su where the merged tree has /usr/bin/su
            if node is not None and node.path in in_question:
                owned.add(node.path)
    return frozenset(owned)


def _listed(image: Image) -> Iterator[str]:
    directory = image.tree.find(_INFO)
    for name, node in ((directory.children if directory else None) or {}).items():
        if name.endswith(".list"):
            yield from _lines(image, node)
    for database in _INSTALLED:
        node_or_none = image.tree.find(database)
        if node_or_none is None:
            continue
        folder = ""
        for line in _lines(image, node_or_none):
            if line.startswith("F:"):
                folder = line[2:]
            elif line.startswith("R:"):
                yield f"{folder}/{line[2:]}"


def _lines(image: Image, node: Node) -> Iterator[str]:
    if node.kind is not Kind.FILE or node.size > _MAX_LIST_BYTES or not image.is_readable(node):
        return iter(())
    return lines(image.read(node), "surrogateescape")
