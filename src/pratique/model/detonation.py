"""What a run in the sandbox says about an image."""

from enum import StrEnum

from msgspec import Struct

from pratique.model.finding import Finding
from pratique.model.flow import Protocol
from pratique.model.identity import ImageIdentity

DETONATION_VERSION = 1


class Behaviour(StrEnum):
    """The verdict over a run."""

    CLEAN = "clean"
    BAD = "bad"
    UNCLEAR = "unclear"
    """It could not be started, or ended before it did anything."""


class WantedPeer(Struct, frozen=True):
    """A peer that the image asked for: a line of a proposed allow-list."""

    to: str
    """A name where it asked for one, else an address."""
    protocol: Protocol
    port: int
    times: int = 1


class Detonation(Struct, frozen=True):
    """One versioned document for each image id, as a report is for a scan."""

    image: ImageIdentity
    detonated_at: float
    duration_s: float
    command: tuple[str, ...]
    verdict: Behaviour
    reason: str
    """For people, one line."""
    findings: tuple[Finding, ...] = ()
    """Of kind ``behaviour``; ``rule`` is that of the live detection."""
    peers: tuple[WantedPeer, ...] = ()
    """A proposed allow-list."""
    programs: tuple[str, ...] = ()
    """A proposed profile of processes: paths of what was executed, sorted."""
    cpu_s: float = 0.0
    slept_s: float = 0.0
    omitted: int = 0
    version: int = DETONATION_VERSION
