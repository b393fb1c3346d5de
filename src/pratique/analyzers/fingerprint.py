"""What an image is made of: the elements of its files, by the layer that put them there, and its recipe."""

import hashlib
import time
from collections.abc import Iterator
from typing import Final

from pratique.analyzers.options import Options
from pratique.family import (
    MAX_FILE_BYTES,
    MIN_BYTES,
    SLICE_BYTES,
    Fingerprint,
    element,
    large_elements,
    recipe_of,
    sampled,
    slice_digests,
)
from pratique.image import Image, Kind, Node, RunConfig

_WINDOW_BYTES: Final = 8 << 20
"""Read at once: whole slices."""


def take_fingerprint(image: Image, options: Options | None = None) -> Fingerprint:
    """Take an image's fingerprint: each content is hashed once, in the order of the disk.

    :raises ImageError: when the image's file can no longer be read
    """
    options = options or Options()
    end = time.monotonic() + options.deadline_s
    layers: list[set[int]] = [set() for _ in image.identity.layers]
    files = [
        node
        for node in image.tree.nodes()
        if node.kind is Kind.FILE and node.size >= MIN_BYTES and image.is_readable(node)
    ]
    files.sort(key=lambda file: (file.data_layer, file.offset))
    partial = False
    known: dict[tuple[int, int, int], tuple[int, ...]] = {}
    for file in files:
        if time.monotonic() > end:
            partial = True
            break
        place = (file.data_layer, file.offset, file.size)
        if place not in known:  # hard links share it
            known[place] = tuple(_elements(image, file))
        layers[file.layer].update(known[place])
    strata, omitted = sampled(layers)
    run = image.config.config or RunConfig()
    return Fingerprint(
        image=image.identity.id,
        at=time.time(),
        layers=image.identity.layers,
        strata=strata,
        recipe=recipe_of(run.entrypoint or (), run.cmd or ()),
        omitted=omitted,
        partial=partial,
    )


def _elements(image: Image, file: Node) -> Iterator[int]:
    if file.size < 2 * SLICE_BYTES:
        yield element(hashlib.sha256(image.read(file)).digest(), file.size)
        return
    digests: list[bytes] = []
    for start in range(0, min(file.size, MAX_FILE_BYTES), _WINDOW_BYTES):
        digests += slice_digests(image.read(file, start, min(_WINDOW_BYTES, MAX_FILE_BYTES - start)))
    yield from large_elements(digests, file.size)
