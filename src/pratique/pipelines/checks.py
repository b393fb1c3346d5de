"""One line of what the doctor says."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

_NAMED: Final = 5


class Status(StrEnum):
    """How it stands."""

    OK = "ok"
    WARN = "warn"
    """Something is open, or weaker than it could be."""
    FAIL = "fail"
    """Protecting is not possible until this is mended."""


class Check(Struct, frozen=True):
    """One check. ``follows`` and ``mend`` are empty where all is well."""

    name: str
    status: Status
    found: str
    follows: str = ""
    mend: str = ""


def ok(name: str, found: str) -> Check:
    """Return a check that is well."""
    return Check(name, Status.OK, found)


def warn(name: str, found: str, follows: str, mend: str) -> Check:
    """Return a check that warns."""
    return Check(name, Status.WARN, found, follows, mend)


def fail(name: str, found: str, follows: str, mend: str) -> Check:
    """Return a check that keeps the host from being protected."""
    return Check(name, Status.FAIL, found, follows, mend)


def names(found: Sequence[str]) -> str:
    """Return the first few of many names as one text."""
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more
