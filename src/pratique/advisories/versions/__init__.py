r"""Version order: every version becomes a key of bytes, and keys compare as versions do.

In: a version as its ecosystem writes it. Out: :class:`bytes` that sort byte by byte (``memcmp``), so that SQLite can
compare them without asking Python. Never: raises; a version that breaks its scheme's rules still has a place.

No key is the beginning of another, so ``key + b"\0"`` is the place right after a version: ranges that include their
last version become half-open like all others.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from pratique.advisories.versions import apk, deb, generic, pep440, semver

__all__ = ["LOWEST", "MAX_VERSION_LENGTH", "Scheme", "after", "version_key"]

LOWEST: Final = b"\x01"
"""Where a range begins that OSV writes as introduced ``0``: before every version that obeys its scheme's rules."""
MAX_VERSION_LENGTH: Final = 512
"""Characters of a version that count; what is longer is cut, so that nobody can make a key of megabytes."""


class Scheme(StrEnum):
    """How the versions of an ecosystem are ordered."""

    DEB = "deb"
    APK = "apk"
    PEP440 = "pep440"
    SEMVER = "semver"
    GENERIC = "generic"


_KEYS: Final[dict[Scheme, Callable[[str], bytes]]] = {
    Scheme.DEB: deb.key,
    Scheme.APK: apk.key,
    Scheme.PEP440: pep440.key,
    Scheme.SEMVER: semver.key,
    Scheme.GENERIC: generic.key,
}


def version_key(scheme: Scheme, version: str) -> bytes:
    """Return the key of a version; it is greater than :data:`LOWEST` unless the version breaks the scheme's rules."""
    return _KEYS[scheme](version[:MAX_VERSION_LENGTH].strip())


def after(key: bytes) -> bytes:
    """Return the least key that is greater than ``key``."""
    return key + b"\0"
