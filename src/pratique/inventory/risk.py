"""How urgent a place is: seven facts, each worth so many points, 100 together. Pure."""

from enum import StrEnum
from math import log2
from typing import Final

from msgspec import Struct

from pratique.model import Severity

_SEVERITY: Final = {
    Severity.CRITICAL: 40.0,
    Severity.HIGH: 30.0,
    Severity.MEDIUM: 15.0,
    Severity.LOW: 5.0,
    Severity.NEGLIGIBLE: 2.0,
    Severity.UNKNOWN: 10.0,
}
_KEV: Final = 15.0
_EPSS: Final = 10.0
_DEPENDANTS: Final = 10.0

EXPLANATION: Final = (
    "risk: severity (critical 40, high 30, medium 15, unknown 10, low 5, negligible 2)"
    " + exploited in the wild (KEV) 15 + 10 x probability of exploit (EPSS)"
    " + loaded (yes 10, not known 5) + reachable (from other machines 15, only over a service that is 5)"
    " + who depends on it, directly or not (2 x log2(1 + services), at most 10)"
)
"""The ranking in one sentence; it stands under every table."""


class Loaded(StrEnum):
    """Whether the sensor saw a file of what is asked for opened or mapped."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """Nobody looked, or not for long enough."""


class Exposure(StrEnum):
    """Whether other machines can reach it."""

    PUBLISHED = "published"
    """Directly: a published port, the host's network, a connection from the internet that was seen."""
    THROUGH = "through"
    """Only over services that are."""
    NONE = "none"


_LOADED: Final = {Loaded.YES: 10.0, Loaded.UNKNOWN: 5.0, Loaded.NO: 0.0}
_EXPOSURE: Final = {Exposure.PUBLISHED: 15.0, Exposure.THROUGH: 5.0, Exposure.NONE: 0.0}


class Risk(Struct, frozen=True):
    """The points of each part; see :data:`EXPLANATION`."""

    score: float
    """All together, 0 to 100."""
    severity: float
    kev: float
    epss: float
    loaded: float
    exposure: float
    dependants: float


class Threat(Struct, frozen=True):
    """How bad the vulnerabilities are that a question is about."""

    severity: Severity
    kev: bool = False
    """One of them is in CISA's catalogue of known exploited vulnerabilities."""
    epss: float = 0.0
    """The greatest probability of exploit within 30 days (FIRST.org), 0 to 1."""


def assess(threat: Threat, loaded: Loaded, exposure: Exposure, dependants: int) -> Risk:
    """Return the risk of a place.

    :param dependants: how many services need it, directly or over others
    """
    parts = (
        _SEVERITY[threat.severity],
        _KEV if threat.kev else 0.0,
        _EPSS * threat.epss,
        _LOADED[loaded],
        _EXPOSURE[exposure],
        min(_DEPENDANTS, 2 * log2(1 + dependants)),
    )
    return Risk(round(sum(parts), 1), *(round(part, 1) for part in parts))
