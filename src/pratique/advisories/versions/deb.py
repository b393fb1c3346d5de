"""Debian's version order (deb-version(7), ``lib/dpkg/version.c``), also that of Ubuntu.

A version is ``[epoch:]upstream[-revision]``. Upstream and revision are read as turns of a text without digits and a
number. Texts compare character by character: ``~`` before the end of the text, the end before letters, letters before
all else. Numbers compare by value, and a missing one is 0.
"""

import re
from typing import Final

from pratique.advisories.versions.encoding import number

_TURN: Final = re.compile(r"([^0-9]*)([0-9]*)")
_TILDE: Final = 0x01
_END: Final = 0x02
_FIRST: Final = b"\x02"
"""Above ``LOWEST``: the first byte of every key."""


def _order(character: str) -> int:
    if character == "~":
        return _TILDE
    if character.isascii():
        return ord(character) if character.isalpha() else 0x80 + ord(character)
    return 0xFF


_ORDER: Final = {chr(code): _order(chr(code)) for code in range(128)}


def key(version: str) -> bytes:
    """Return the sort key of a Debian version."""
    epoch, colon, rest = version.partition(":")
    if not (colon and epoch.isascii() and epoch.isdigit()):
        epoch, rest = "", version
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, ""
    return _FIRST + number(epoch) + _part(upstream) + _part(revision)


def _part(part: str) -> bytes:
    encoded = bytearray()
    for match in _TURN.finditer(part):
        text, digits = match.groups()
        if match.end() == match.start() and encoded:
            break
        encoded += bytes([_ORDER.get(character, 0xFF) for character in text])
        encoded.append(_END)
        encoded += number(digits)
    encoded.append(_END)
    return bytes(encoded)
