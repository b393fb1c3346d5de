"""Which elements are an image's own, as opposed to what it was built upon."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from pratique.family.element import Elements, weight
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


class Own(Struct, frozen=True):
    """What is an image's own."""

    elements: Elements
    sure: bool = True
    """False: nothing tells whether it is not just a base that nobody has seen before."""


def own_elements(fingerprint: Fingerprint, ground: Elements = frozenset(), depth: int = 0) -> Own:
    """Return what is an image's own.

    The lowest layer is taken for a base unless most of it is known to be innocent: then what else is in it counts.

    :param ground: elements of innocent images, as far as the image has them
    :param depth: how many of its lowest layers are known to be a base
    """
    bottom = max(depth, fingerprint.bottom() + 1)
    base = fingerprint.elements(0, depth)
    lowest = fingerprint.elements(depth, bottom) - base
    rest = fingerprint.elements(bottom) - base - lowest - ground
    is_known = depth > 0 or 2 * weight(lowest & ground) >= weight(lowest) > 0
    if is_known:
        return Own(rest | (lowest - ground))
    return Own(rest) if rest else Own(lowest - ground, sure=False)
