"""The programs and libraries of an image by their content, so that people can ask where a file is."""

import hashlib
import re
import time
from typing import Final

from pratique.analyzers.options import Options
from pratique.image import Image, Kind, Node
from pratique.model import ImagePrograms, Program
from pratique.text import printable

MAX_PROGRAMS: Final = 50_000
_EXECUTABLE: Final = 0o111
_LIBRARY: Final = re.compile(r"\.(so(\.[0-9.]+)?|jar|war|dll|pyc?|js|sh|rb|pl|php)$")
_WINDOW_BYTES: Final = 8 << 20


def take_programs(image: Image, options: Options | None = None) -> ImagePrograms:
    """Hash what can be executed or loaded: files with a mode or a name that says so, each content once.

    :raises ImageError: when the image's file can no longer be read
    """
    options = options or Options()
    end = time.monotonic() + options.deadline_s
    files = [node for node in image.tree.nodes() if _is_program(node) and image.is_readable(node)]
    files.sort(key=lambda file: (file.data_layer, file.offset))
    known: dict[tuple[int, int, int], bytes] = {}
    found: list[Program] = []
    left = 0
    for number, file in enumerate(files):
        if number >= MAX_PROGRAMS or time.monotonic() > end:
            left += len(files) - number
            break
        if file.size > options.max_file_bytes:
            left += 1
            continue
        place = (file.data_layer, file.offset, file.size)
        if place not in known:  # hard links share it
            known[place] = _digest(image, file)
        found.append(Program(printable(file.path), file.layer, known[place]))
    return ImagePrograms(image.identity, time.time(), tuple(found), partial=left > 0)


def _is_program(node: Node) -> bool:
    return node.kind is Kind.FILE and node.size > 0 and bool(node.mode & _EXECUTABLE or _LIBRARY.search(node.path))


def _digest(image: Image, file: Node) -> bytes:
    content = hashlib.sha256()
    for start in range(0, file.size, _WINDOW_BYTES):
        content.update(image.read(file, start, _WINDOW_BYTES))
    return content.digest()
