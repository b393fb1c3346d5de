"""The programs of an image, by their content."""

from msgspec import Struct

from pratique.model.identity import ImageIdentity


class Program(Struct, frozen=True):
    """A program or library in the merged tree of an image."""

    path: str
    """Without a leading slash."""
    layer: int
    """The position of the layer that put it there; 0 is the base."""
    sha256: bytes
    """Of the whole content."""


class ImagePrograms(Struct, frozen=True):
    """Every program and library of an image."""

    image: ImageIdentity
    at: float
    programs: tuple[Program, ...]
    partial: bool = False
    """Not every file could be looked at."""
