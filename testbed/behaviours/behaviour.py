"""One image and what it is expected to be found to do."""

from collections.abc import Callable
from dataclasses import dataclass

from testbed.images import Image


@dataclass(frozen=True)
class Behaviour:
    """An image that behaves in a known way."""

    name: str
    about: str
    """The campaign that it is modelled on, or what the software is."""
    image: Callable[[], Image]
    rules: frozenset[str] = frozenset()
    """The rules that must condemn it; none: it is honest."""
    for_s: float = 3.0
    """So long must it run until it has done all that."""
