"""Which files of an image are a package's code: what a process opens when it uses the package.

Sources: dpkg-query(1) (``info/*.list``; ``status.d/*.md5sums`` is the form of distroless images), apk-package(5), PyPA
"Recording installed projects" (``RECORD``), npm "folders". Documentation, translations and metadata are left out:
tools read those without running anything.
"""

import csv
import posixpath
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pratique.analyzers.options import Options
from pratique.analyzers.packages.fields import lines
from pratique.image import Image, Kind, Node
from pratique.model import ImageCode, Package, PackageCode

MAX_FILES: Final = 60_000
_MAX_LOOKS: Final = 1_000_000
_MAX_LIST_BYTES: Final = 32 << 20
_DPKG: Final = "var/lib/dpkg"
_APK: Final = "apk/db/installed"
_CODE: Final = (".so", ".py", ".js", ".mjs", ".cjs", ".node", ".jar", ".rb", ".pl", ".pm", ".php", ".sh")
_SHARED: Final = ".so."
_METADATA: Final = (".dist-info", ".egg-info")
_ANY_EXECUTE: Final = 0o111


def find_code(image: Image, packages: Iterable[Package], options: Options | None = None) -> ImageCode:
    """Return the code of packages of an image, within bounds; a package whose files nobody tells has none.

    :raises ImageError: when the image's file can no longer be read
    """
    end = time.monotonic() + (options or Options()).deadline_s
    apk = _ApkFiles(image)
    found: list[PackageCode] = []
    left, looks = MAX_FILES, _MAX_LOOKS
    for package in packages:
        paths: set[str] = set()
        for path in _listed(image, package, apk):
            looks -= 1
            if path.isprintable() and path:
                paths.add(path)
            if looks <= 0 or len(paths) >= left:
                break
        left -= len(paths)
        if paths:
            mine = tuple(sorted(paths))
            found.append(PackageCode(package.name, package.version, package.ecosystem, package.source_name, mine))
        if looks <= 0 or left <= 0 or time.monotonic() > end:
            break
    return ImageCode(image=image.identity.id, at=time.time(), packages=tuple(found))


def _listed(image: Image, package: Package, apk: "_ApkFiles") -> Iterator[str]:
    """Yield a package's files: the path of its code, and nothing for anything else."""
    if package.ecosystem == "npm":
        yield from _below(image.tree.find(posixpath.dirname(package.path)))
        return
    for path in _claimed(image, package, apk):
        node = image.tree.find(path)
        yield node.path if node is not None and _is_code(node) else ""


def _claimed(image: Image, package: Package, apk: "_ApkFiles") -> Iterable[str]:
    if package.path.endswith(_APK):
        return apk.of(package)
    if package.ecosystem == "PyPI":
        return _recorded(image, package.path)
    if f"{_DPKG}/" in package.path:
        return _dpkg_files(image, package)
    return ()


def _dpkg_files(image: Image, package: Package) -> Iterator[str]:
    for name in (f"{package.name}.list", f"{package.name}:{package.architecture}.list"):
        yield from _lines(image, image.tree.find(f"{_DPKG}/info/{name}"))
    for line in _lines(image, image.tree.find(f"{_DPKG}/status.d/{package.name}.md5sums")):
        yield line.partition("  ")[2]


def _recorded(image: Image, metadata: str) -> Iterator[str]:
    """Yield the files in ``RECORD``; ``.pyc`` files stand for their source, which is listed as well."""
    folder = posixpath.dirname(metadata)
    record = _lines(image, image.tree.find(f"{folder}/RECORD"))
    try:
        for row in csv.reader(record):
            if row:
                yield posixpath.normpath(posixpath.join(posixpath.dirname(folder), row[0]))
    except csv.Error:
        return


def _below(folder: Node | None) -> Iterator[str]:
    """Yield the code in a Node package's folder, without the packages inside it."""
    stack = [folder] if folder is not None else []
    while stack:
        node = stack.pop()
        yield node.path if _is_code(node) else ""
        stack.extend(child for name, child in (node.children or {}).items() if name != "node_modules")


class _ApkFiles:
    """The files of each package in apk's database, read once."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._databases: dict[str, Mapping[str, list[str]]] = {}

    def of(self, package: Package) -> list[str]:
        if package.path not in self._databases:
            self._databases[package.path] = self._read(package.path)
        return self._databases[package.path].get(package.name, [])

    def _read(self, database: str) -> dict[str, list[str]]:
        files: dict[str, list[str]] = {}
        mine: list[str] = []
        folder = ""
        for line in _lines(self._image, self._image.tree.find(database)):
            key, value = line[:2], line[2:]
            if key == "P:":
                mine = files.setdefault(value, [])
            elif key == "F:":
                folder = value
            elif key == "R:":
                mine.append(f"{folder}/{value}")
        return files


def _is_code(node: Node) -> bool:
    if node.kind is not Kind.FILE:
        return False
    folder, _, name = node.path.rpartition("/")
    if name.endswith(_CODE) or _SHARED in name:
        return True
    is_plain = "." not in name and not folder.endswith(_METADATA)  # many an image is built with every file executable
    return is_plain and bool(node.mode & _ANY_EXECUTE)


def _lines(image: Image, node: Node | None) -> Iterator[str]:
    if node is None or node.kind is not Kind.FILE or node.size > _MAX_LIST_BYTES or not image.is_readable(node):
        return iter(())
    return lines(image.read(node), "surrogateescape")
