"""Which elements are an image's own, as opposed to what it was built upon."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from pratique.family.element import Elements, weight
from pratique.family.fingerprint import Fingerprint, unpacked

COMMON_WAYS: Final = 3
"""Layers that so many images go on from, in so many ways and to run so many things, are a base: nobody's own."""


class Known(Struct, frozen=True):
    """Another image, as far as it tells what is a base."""

    layers: tuple[str, ...]
    command: int
    """What it runs, as a number; see :meth:`pratique.family.Recipe.bucket`."""


def common_depth(layers: Sequence[str], others: Iterable[Known]) -> int:
    """Return how many of an image's lowest layers are a base that many others share.

    Variants of one malicious image share its layers as well, but they run the same.

    :param others: images that nobody condemned
    """
    ways: dict[int, set[str]] = defaultdict(set)
    commands: dict[int, set[int]] = defaultdict(set)
    for other in others:
        for depth, (ours, theirs) in enumerate(zip(layers, other.layers, strict=False), start=1):
            if ours != theirs:
                break
            ways[depth].add(other.layers[depth] if depth < len(other.layers) else "")
            commands[depth].add(other.command)
    return max((depth for depth in ways if min(len(ways[depth]), len(commands[depth])) >= COMMON_WAYS), default=0)


class Own(Struct, frozen=True):
    """What is an image's own."""

    elements: Elements
    sure: bool = True
    """False: nothing tells how much of it is just a base that nobody has seen before."""
    lowest: bool = False
    """The lowest layer is among it, since there is nothing else."""
    top: Elements = frozenset()
    """What the highest layer brought: the least likely to be a base's."""


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
    top = next((found for stratum in reversed(fingerprint.strata) if (found := frozenset(unpacked(stratum)))), base)
    return Own(rest or lowest - ground, sure=False, lowest=not rest, top=top)
