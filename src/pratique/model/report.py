"""What a scan found out about an image."""

from msgspec import Struct

from pratique.model.finding import Finding
from pratique.model.identity import ImageIdentity
from pratique.model.package import Package

REPORT_VERSION = 1


class Unread(Struct, frozen=True):
    """A part of the image that could not be read, and why."""

    path: str
    reason: str


class Report(Struct, frozen=True):
    """One versioned document for each image id; every output format renders only this."""

    image: ImageIdentity
    scanned_at: float
    duration_s: float
    distribution: str = ""
    """``debian 12``, ``alpine 3.19.1`` … or ``""``."""
    packages: tuple[Package, ...] = ()
    findings: tuple[Finding, ...] = ()
    unread: tuple[Unread, ...] = ()
    advisories_at: float = 0.0
    """When the advisory data that was matched was built; 0 when none was there."""
    files: int = 0
    version: int = REPORT_VERSION
