"""Which elements are an image's own, as opposed to what it was built upon."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from pratique.family.element import Elements
from pratique.family.fingerprint import Fingerprint

COMMON_BRANCHES: Final = 5
"""Layers that so many images go on from in so many ways are a base: nobody's own."""


def common_depth(layers: Sequence[str], others: Iterable[Sequence[str]]) -> int:
    """Return how many of an image's lowest layers are a base that many others share.

    :param others: the layers of other images that nobody condemned
    """
    branches: dict[int, set[str]] = defaultdict(set)
    for other in others:
        for depth, (ours, theirs) in enumerate(zip(layers, other, strict=False), start=1):
            if ours != theirs:
                break
            branches[depth].add(other[depth] if depth < len(other) else "")
    return max((depth for depth, ways in branches.items() if len(ways) >= COMMON_BRANCHES), default=0)


def own_elements(fingerprint: Fingerprint, ground: Collection[int], depth: int = 0) -> Elements:
    """Return what is an image's own.

    Where nothing innocent is known about the lowest layer, it is taken for a base, unless nothing else is left.

    :param ground: elements of innocent images, as far as the image has them
    :param depth: how many of its lowest layers are a base
    """
    bottom = max(depth, fingerprint.bottom() + 1)
    base = fingerprint.elements(0, bottom)
    rest = fingerprint.elements(bottom) - base - frozenset(ground)
    if depth or not base.isdisjoint(ground):
        return rest | (fingerprint.elements(depth, bottom) - fingerprint.elements(0, depth) - frozenset(ground))
    return rest or base - frozenset(ground)
