r"""Alpine's version order (apk-tools 3, ``src/version.c`` and apk-package(5)).

``number{.number}[letter]{_suffix[number]}[~hash][-r#]``. The suffixes ``_alpha _beta _pre _rc`` come before the bare
version, ``_cvs _svn _git _hg _p`` after it. A number after a dot that begins with 0 compares as text, like a decimal
fraction. Where two versions go on with different things, the order is, from lowest: suffix of a pre-release, the end,
``-r``, hash, number of a suffix, other suffix, letter, ``.number``, anything that breaks the rules.
"""

import re
from typing import Final

from pratique.advisories.versions.encoding import number, text

_TOKEN: Final = re.compile(
    r"\.(?P<digits>[0-9]+)"
    r"|(?P<letter>[a-z])(?![a-z])"
    r"|_(?P<suffix>alpha|beta|pre|rc|cvs|svn|git|hg|p)(?P<count>[0-9]*)(?![a-z])"
    r"|~(?P<hash>[0-9a-f]+)"
    r"|-r(?P<revision>[0-9]+)$"
)
_SUFFIXES: Final = ("alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p")
_PRE_RELEASES: Final = 4
_PRE_SUFFIX: Final = 0x10
_END: Final = 0x20
_REVISION: Final = 0x28
_HASH: Final = 0x30
_SUFFIX_NUMBER: Final = 0x38
_POST_SUFFIX: Final = 0x40
_LETTER: Final = 0x50
_DIGITS: Final = 0x60
_BROKEN: Final = 0x70
_FIRST: Final = re.compile(r"[0-9]+")


def key(version: str) -> bytes:
    """Return the sort key of an apk version; one that does not begin with a digit comes before all others."""
    first = _FIRST.match(version)
    if first is None:
        return b"\0" + text(version)
    encoded = bytearray(b"\x02" + number(first.group()))
    position = first.end()
    while position < len(version):
        match = _TOKEN.match(version, position)
        if match is None:
            encoded.append(_BROKEN)
            encoded += text(version[position:])
            return bytes(encoded)
        encoded += _token(match)
        position = match.end()
    encoded.append(_END)
    return bytes(encoded)


def _token(match: re.Match[str]) -> bytes:
    kind = match.lastgroup
    if kind == "digits":
        digits = match["digits"]
        fraction = b"\x00" + digits.encode() + b"\0"
        return bytes((_DIGITS,)) + (fraction if digits[0] == "0" else number(digits))
    if kind == "letter":
        return bytes((_LETTER, ord(match["letter"])))
    if kind == "hash":
        return bytes((_HASH,)) + text(match["hash"])
    if kind == "revision":
        return bytes((_REVISION,)) + number(match["revision"])
    rank = _SUFFIXES.index(match["suffix"])
    count = bytes((_SUFFIX_NUMBER,)) + number(match["count"]) if match["count"] else b""
    return bytes(((_PRE_SUFFIX if rank < _PRE_RELEASES else _POST_SUFFIX) + rank,)) + count
