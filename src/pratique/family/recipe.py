"""What an image runs, without what changes with every build.

The history that an image tells of itself is left out: it is free text, and most of it is the base's.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

MAX_TOKENS: Final = 2_000
_MAX_TEXT: Final = 16 << 10
_SHINGLE: Final = 3

_NOISE: Final = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?"), " "),
    (re.compile(r"\b[0-9a-f]{12,}\b"), "HEX"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}\b"), "ADDRESS"),
    (re.compile(r"\b\d{2,}\b"), "NUMBER"),
)
_TOKEN: Final = re.compile(r"[\w./-]+|[^\w\s]")


class Recipe(Struct, frozen=True):
    """What an image runs."""

    command: tuple[str, ...] = ()
    """Entry point and command, cut into tokens, with addresses and numbers made alike."""
    program: str = ""
    """The first word of what runs."""

    def features(self) -> frozenset[int]:
        """Return what recipes are compared by."""
        return shingles(self.command)

    def bucket(self) -> int:
        """Return a number of 63 bits for the whole command."""
        return _number("\0".join(self.command))


def recipe_of(entrypoint: Sequence[str], cmd: Sequence[str]) -> Recipe:
    """Return the recipe of an image's configuration."""
    words = [*entrypoint, *cmd]
    return Recipe(
        command=tuple(_tokens("\n".join(words))),
        program=words[0][:_MAX_TEXT] if words else "",
    )


def shingles(tokens: Sequence[str]) -> frozenset[int]:
    """Return a number of 63 bits for each run of three tokens."""
    runs = {"\0".join(tokens[start : start + _SHINGLE]) for start in range(len(tokens) - _SHINGLE + 1)}
    return frozenset(map(_number, runs))


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode(errors="surrogateescape")).digest()[:8], "big") >> 1


def _tokens(text: str) -> list[str]:
    text = text[:_MAX_TEXT]
    for pattern, plain in _NOISE:
        text = pattern.sub(plain, text)
    return _TOKEN.findall(text)[:MAX_TOKENS]
