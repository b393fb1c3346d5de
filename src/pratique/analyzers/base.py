"""What an analyzer is: a part of the image in, facts out."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from msgspec import Struct

from pratique.analyzers.distribution import Distribution
from pratique.image import Image, Node
from pratique.model import Finding, Package, Unread

Fact = Package | Finding | Unread


class Context(Struct, frozen=True):
    """What every analyzer may know about the image before it sees a file."""

    image: Image
    distribution: Distribution
    owned: frozenset[str]
    """Paths that the distribution's packages own, of those in question: set-uid files and language packages."""


class Analyzer(ABC):
    """Looks at files. Made anew for each image; sees each file once, in no promised order."""

    whole: ClassVar[bool]
    """True: wants a file in one piece. False: takes a large file in overlapping windows."""
    sees_hidden: ClassVar[bool] = False
    """Whether files matter that a later layer removed or replaced: their bytes are in the image all the same."""

    @abstractmethod
    def wants(self, file: Node) -> bool:
        """Tell whether to be given a file, by path, mode and size."""

    @abstractmethod
    def analyze(self, file: Node, content: bytes) -> Iterable[Fact]:
        """Return what a file, or a window of it, says. Broken content is an ``Unread``, never an exception."""
