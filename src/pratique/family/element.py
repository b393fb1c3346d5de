"""An element: one content, as a number of 64 bits that carries its own weight.

The high 58 bits are of SHA-256 over the content. The low 6 bits are the bit length of its size: a large file says more
about where an image comes from than a small one, but not in proportion to its size.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

MIN_BYTES: Final = 16
"""Smaller files (empty, a newline, a number) are everywhere and say nothing."""
SLICE_BYTES: Final = 32 << 10
"""A file of at least two slices gives an element for each slice as well: a program that is patched keeps most."""
MAX_FILE_BYTES: Final = 256 << 20
"""More of a file is not looked at; its size still counts."""
_WEIGHT_BITS: Final = 6
_WEIGHT_MASK: Final = (1 << _WEIGHT_BITS) - 1
_BLANK: Final = frozenset({bytes(SLICE_BYTES), b"\xff" * SLICE_BYTES})

Elements = frozenset[int]


def element(digest: bytes, size: int) -> int:
    """Return the element of a content.

    :param digest: SHA-256 of it
    :param size: in bytes
    """
    return int.from_bytes(digest[:8], "big") & ~_WEIGHT_MASK | min(size.bit_length(), _WEIGHT_MASK)


def digest_slices(content: bytes) -> tuple[bytes, list[int]]:
    """Return the digest of a piece of a file, and the elements of its whole slices that are not blank."""
    view = memoryview(content)
    whole = hashlib.sha256(view).digest()
    slices = []
    for start in range(0, len(content) - SLICE_BYTES + 1, SLICE_BYTES):
        part = view[start : start + SLICE_BYTES]
        if part not in _BLANK:
            slices.append(element(hashlib.sha256(part).digest(), SLICE_BYTES))
    return whole, slices


def weight(elements: Iterable[int]) -> int:
    """Return what elements weigh together."""
    return sum(one & _WEIGHT_MASK for one in elements)
