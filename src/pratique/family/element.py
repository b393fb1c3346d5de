"""An element: one content, as a number of 64 bits that carries its own weight.

The high 58 bits are of SHA-256 over the content. The low 6 bits are the bit length of its size: a large file says more
about where an image comes from than a small one, but not in proportion to its size.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

MIN_BYTES: Final = 16
"""Smaller files (empty, a newline, a number) are everywhere and say nothing."""
SLICE_BYTES: Final = 32 << 10
"""A file of at least two slices gives an element for each slice as well: a program that is patched keeps most."""
MAX_FILE_BYTES: Final = 256 << 20
"""More of a file is not looked at; its size still counts."""
_WEIGHT_BITS: Final = 6
_WEIGHT_MASK: Final = (1 << _WEIGHT_BITS) - 1
_BLANK: Final = frozenset(hashlib.sha256(one * SLICE_BYTES).digest() for one in (b"\0", b"\xff"))

Elements = frozenset[int]


def element(digest: bytes, size: int) -> int:
    """Return the element of a content.

    :param digest: SHA-256 of it
    :param size: in bytes
    """
    return int.from_bytes(digest[:8], "big") & ~_WEIGHT_MASK | min(size.bit_length(), _WEIGHT_MASK)


def slice_digests(content: bytes) -> list[bytes]:
    """Return the digest of each slice of a piece of a file; the last slice may be short."""
    view = memoryview(content)
    return [hashlib.sha256(view[at : at + SLICE_BYTES]).digest() for at in range(0, len(content), SLICE_BYTES)]


def large_elements(digests: Sequence[bytes], size: int) -> list[int]:
    """Return the elements of a large file: its whole, and its whole slices that are not blank.

    :param digests: of its slices
    :param size: in bytes
    """
    whole = digests[: min(size, MAX_FILE_BYTES) // SLICE_BYTES]
    slices = [element(digest, SLICE_BYTES) for digest in whole if digest not in _BLANK]
    return [element(hashlib.sha256(b"".join(digests)).digest(), size), *slices]


def weight(elements: Iterable[int]) -> int:
    """Return what elements weigh together."""
    return sum(one & _WEIGHT_MASK for one in elements)
