"""A bottom-k MinHash sketch, to find whom an image may be kin of without comparing it with everybody.

Source: A. Broder, "On the resemblance and containment of documents" (1997): the k smallest hashes of a set are a fair
sample of it, so two sets that share much share some of these. Unlike banded MinHash it also finds a small set inside a
large one: padding an image with junk does not hide it.
"""

from collections.abc import Iterable
from heapq import nsmallest
from typing import Final

SKETCH_SIZE: Final = 32


def sketch_of(elements: Iterable[int], size: int = SKETCH_SIZE) -> tuple[int, ...]:
    """Return the ``size`` smallest elements, ascending, each without its lowest bit, so that it fits 63 bits."""
    return tuple(one >> 1 for one in nsmallest(size, set(elements)))
