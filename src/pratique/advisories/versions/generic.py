"""An order for ecosystems without a comparator of their own (Maven, RubyGems, Packagist, NuGet …).

Runs of digits compare by value and runs of letters by alphabet; everything else only separates. Words of pre-releases
come before the end of the version, other words after it, numbers after all words.
"""

import re
from typing import Final

from pratique.advisories.versions.encoding import number, text

_RUN: Final = re.compile(r"[0-9]+|[a-z]+")
_PRE_RELEASES: Final = {
    "dev": 1,
    "a": 2,
    "alpha": 2,
    "b": 3,
    "beta": 3,
    "m": 4,
    "milestone": 4,
    "pre": 5,
    "preview": 5,
    "c": 6,
    "cr": 6,
    "rc": 6,
    "snapshot": 7,
}
_RELEASES: Final = frozenset({"final", "ga", "release"})
_END: Final = b"\x20"
_WORD: Final = b"\x30"
_NUMBER: Final = b"\x40"


def key(version: str) -> bytes:
    """Return the sort key of a version; one without a digit comes before all others."""
    runs = _RUN.findall(version.lower().removeprefix("v").partition("+")[0])
    if not any(run.isdigit() for run in runs):
        return b"\0" + text(version)
    return b"\x02" + b"".join(_without_trailing_zeros(runs)) + _END


def _without_trailing_zeros(runs: list[str]) -> list[bytes]:
    # 1.0-rc1 and 1.0.0-rc1 are the same: zeros at the end of a row of numbers are dropped
    encoded: list[bytes] = []
    number_follows = False
    for position in range(len(runs) - 1, -1, -1):
        run = runs[position]
        if run.isdigit():
            after_number = position > 0 and runs[position - 1].isdigit()
            if run.strip("0") or number_follows or not after_number:
                encoded.append(_NUMBER + number(run))
                number_follows = True
            continue
        number_follows = False
        if run in _PRE_RELEASES:
            encoded.append(bytes((0x10 + _PRE_RELEASES[run],)))
        elif run not in _RELEASES:
            encoded.append(_WORD + text(run))
    return encoded[::-1]
