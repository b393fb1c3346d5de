"""How an image says that it was made and what it runs, without what changes with every build.

Sources: OCI image-spec 1.1 (config: ``history``, ``config``); the forms of ``created_by`` that the classic builder
(``/bin/sh -c #(nop) …``, ``|1 A=b /bin/sh -c …``) and BuildKit (``RUN /bin/sh -c … # buildkit``) write.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

MAX_TOKENS: Final = 2_000
MAX_STEPS: Final = 256
_MAX_TEXT: Final = 16 << 10
_SHINGLE: Final = 3

_NOISE: Final = (
    (re.compile(r"^(?:RUN )?(?:\|\d+ [^\n]*?)?/bin/(?:ba)?sh -c (?:#\(nop\))?\s*"), ""),
    (re.compile(r"\s*# buildkit\s*$"), ""),
    (re.compile(r"\b(?:file|dir|multi|sha256):[0-9a-f]{12,}"), " "),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?"), " "),
    (re.compile(r"\b[0-9a-f]{12,}\b"), "HEX"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}\b"), "ADDRESS"),
    (re.compile(r"\b\d{2,}\b"), "NUMBER"),
)
_TOKEN: Final = re.compile(r"[\w./-]+|[^\w\s]")


class Recipe(Struct, frozen=True):
    """What an image runs and how it came about. All of it is the maker's claim."""

    command: tuple[str, ...] = ()
    """Entry point and command, cut into tokens, with addresses and numbers made alike."""
    program: str = ""
    """The first word of what runs."""
    steps: tuple[str, ...] = ()
    """The instructions of the history, base first, each made alike in the same way."""

    def features(self) -> frozenset[int]:
        """Return what recipes are compared by."""
        return shingles(self.command)

    def bucket(self) -> int:
        """Return a number of 63 bits for the whole command."""
        return _number("\0".join(self.command))


def recipe_of(entrypoint: Sequence[str], cmd: Sequence[str], history: Iterable[str]) -> Recipe:
    """Return the recipe of an image's configuration."""
    words = [*entrypoint, *cmd]
    steps = tuple(step for line in history if (step := " ".join(_tokens(line))))
    return Recipe(
        command=tuple(_tokens("\n".join(words))),
        program=words[0][:_MAX_TEXT] if words else "",
        steps=steps[-MAX_STEPS:],
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
