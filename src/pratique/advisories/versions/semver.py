"""Semantic versions (semver.org 2.0.0, section 11): npm, Go, crates.io and others.

Forgiving where the wild is: a leading ``v`` or ``=`` is dropped, missing numbers are 0, further numbers count. A
version without a leading number comes before all others.
"""

import re
from typing import Final

from pratique.advisories.versions.encoding import number, text

_CORE: Final = re.compile(r"[vV=\s]*(?P<core>[0-9]+(?:\.[0-9]+)*)[-.]?(?P<pre>[^+]*)")
_END: Final = b"\x00"
_NUMBER: Final = b"\x01"
_TEXT: Final = b"\x02"
_RELEASE: Final = b"\xff"


def key(version: str) -> bytes:
    """Return the sort key of a semantic version; what follows ``+`` does not count."""
    match = _CORE.match(version)
    if match is None:
        return b"\0" + text(version)
    parts = match["core"].split(".")
    while len(parts) > 1 and not parts[-1].strip("0"):
        parts.pop()
    core = b"".join(_NUMBER + number(part) for part in parts) + _END
    return b"\x02" + core + _pre(match["pre"])


def _pre(pre: str) -> bytes:
    if not pre:
        return _RELEASE
    parts = (
        _NUMBER + number(part) if part.isascii() and part.isdigit() else _TEXT + text(part) for part in pre.split(".")
    )
    return b"".join(parts) + _END
