"""Python's version order (PEP 440): ``[N!]N(.N)*[{a|b|rc}N][.postN][.devN][+local]``.

A version that PEP 440 does not know comes before all that it knows, so that no range takes it for affected.
"""

from typing import Final

from packaging.version import InvalidVersion, Version

from pratique.advisories.versions.encoding import number, text

_NOTHING: Final = b"\x00"
_SOMETHING: Final = b"\x01"
_HIGHEST: Final = b"\xff"


def key(version: str) -> bytes:
    """Return the sort key of a Python version."""
    try:
        parsed = Version(version)
    except InvalidVersion:
        return b"\0" + text(version)
    release = parsed.release
    end = len(release)
    while end > 1 and release[end - 1] == 0:
        end -= 1
    numbers = b"".join(_SOMETHING + number(str(part)) for part in release[:end])
    return (
        b"\x02"
        + number(str(parsed.epoch))
        + numbers
        + _NOTHING
        + _pre(parsed)
        + (_NOTHING if parsed.post is None else _SOMETHING + number(str(parsed.post)))
        + (_HIGHEST if parsed.dev is None else number(str(parsed.dev)))
        + _local(parsed.local)
    )


def _pre(version: Version) -> bytes:
    if version.pre is not None:
        letter, count = version.pre
        return letter[0].encode() + number(str(count))
    # 1.0.dev1 comes before 1.0a1, which comes before 1.0 and 1.0.post1
    return _NOTHING if version.post is None and version.dev is not None else _HIGHEST


def _local(local: str | None) -> bytes:
    if local is None:
        return _NOTHING
    parts = (b"\x02" + number(part) if part.isdigit() else b"\x01" + text(part) for part in local.split("."))
    return _SOMETHING + b"".join(parts) + _NOTHING
