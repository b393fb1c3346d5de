"""Values of the model with what the store adds to them."""

from msgspec import Struct

from pratique.model import Alert, Container, Decision, Flow, ImageIdentity


class ReportSummary(Struct, frozen=True):
    """The counts of a report, so that a list of images need not unpack every report."""

    scanned_at: float
    packages: int
    malware: int
    secrets: int
    misconfigurations: int
    critical: int
    """Vulnerabilities of that severity."""
    high: int
    medium: int
    low: int
    unread: int


class ImageRecord(Struct, frozen=True):
    """An image, when it was seen, and what its newest report counts; ``report`` is None when it was never scanned."""

    image: ImageIdentity
    first_seen: float
    last_seen: float
    report: ReportSummary | None = None


class ContainerRecord(Struct, frozen=True):
    """A container, the policy that it is under, and whether the guard admitted it."""

    container: Container
    policy: str
    admitted: bool
    first_seen: float
    last_seen: float
    gone_at: float | None = None


class FlowRecord(Struct, frozen=True):
    """A flow; ``id`` grows with each new flow and stays when its counters grow."""

    id: int
    flow: Flow


class AlertRecord(Struct, frozen=True):
    """An alert and how often it came between ``alert.at`` and ``last_at``."""

    id: int
    alert: Alert
    count: int
    last_at: float


class DecisionRecord(Struct, frozen=True):
    """A decision and its link in the chain: ``hash`` covers the hash of the record before, ``id`` and the decision."""

    id: int
    decision: Decision
    hash: str


class ChainCheck(Struct, frozen=True):
    """The result of checking the chain. ``broken`` is the id of the first record at fault, 0 when all are sound."""

    count: int
    head: str
    broken: int = 0
    reason: str = ""


class PolicyRecord(Struct, frozen=True):
    """A policy document that was in force from ``at`` on."""

    id: int
    at: float
    sha256: str
    text: str
