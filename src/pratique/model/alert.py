"""Something happened that a person should know."""

from enum import StrEnum

from msgspec import Struct

from pratique.model.finding import Severity


class Action(StrEnum):
    """What was done about it, at the moment it happened."""

    ALERTED = "alerted"
    REFUSED = "refused"
    """The guard refused the request."""
    DENIED = "denied"
    """The kernel refused the traffic."""
    KILLED = "killed"
    """The kernel killed the process."""


class Technique(Struct, frozen=True):
    """A technique of MITRE ATT&CK for Containers."""

    id: str
    name: str


class Alert(Struct, frozen=True):
    """One alert. ``key`` is the same for repetitions of one thing, so that they are counted and not listed."""

    at: float
    rule: str
    severity: Severity
    title: str
    action: Action
    techniques: tuple[Technique, ...] = ()
    image: str = ""
    """The image id; identity never rests on the container."""
    image_name: str = ""
    container: str = ""
    container_name: str = ""
    evidence: dict[str, str] = {}
    key: str = ""
