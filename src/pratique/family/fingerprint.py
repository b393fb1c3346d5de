"""The fingerprint of an image: the elements that each layer put there, and the recipe."""

from array import array
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from pratique.family.element import Elements
from pratique.family.recipe import Recipe
from pratique.model import ImageId

MAX_ELEMENTS: Final = 60_000
"""Of more, those with the smallest numbers are kept: a fair sample, and the same one in every image."""


class Fingerprint(Struct, frozen=True):
    """What an image is made of. One versioned document for each image id."""

    image: ImageId
    at: float
    layers: tuple[str, ...]
    """Diff ids, base first."""
    strata: tuple[bytes, ...]
    """For each layer the elements of the files in the merged tree that it put there: 8 bytes each, this host's order
    of bytes, ascending."""
    recipe: Recipe
    omitted: int = 0
    """Elements left out by the bound."""
    partial: bool = False
    """Time was up before every file was looked at."""
    version: int = 1

    def elements(self, start: int = 0, end: int | None = None) -> Elements:
        """Return the elements of the layers from ``start`` up to, without, ``end``."""
        found: set[int] = set()
        for stratum in self.strata[start:end]:
            found.update(unpacked(stratum))
        return frozenset(found)

    def bottom(self) -> int:
        """Return the number of the lowest layer of which anything is left to see."""
        return next((number for number, stratum in enumerate(self.strata) if stratum), 0)


def sampled(layers: Sequence[Iterable[int]]) -> tuple[tuple[bytes, ...], int]:
    """Return the strata of a fingerprint, and how many elements the bound left out.

    :param layers: the elements of each layer, base first
    """
    sets = [set(elements) for elements in layers]
    count = sum(map(len, sets))
    if count > MAX_ELEMENTS:
        limit = sorted(one for elements in sets for one in elements)[MAX_ELEMENTS]
        sets = [{one for one in elements if one < limit} for elements in sets]
    return tuple(array("Q", sorted(elements)).tobytes() for elements in sets), count - sum(map(len, sets))


def unpacked(stratum: bytes) -> "array[int]":
    """Return the elements of a stratum."""
    elements = array("Q")
    elements.frombytes(stratum[: len(stratum) // 8 * 8])
    return elements
