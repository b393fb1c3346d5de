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


class KnownFlaw(Struct, frozen=True):
    """A vulnerability in one version of one package, the source package where there is one."""

    number: int
    rule: str
    ecosystem: str
    package: str
    version: str
    fixed: str
    severity: int


class KnownPackage(Struct, frozen=True):
    """A package in one version."""

    number: int
    ecosystem: str
    name: str
    version: str
    source_name: str
    source_version: str


class Sum(Struct):
    """The containers of one service whose images are hit."""

    service: int
    containers: int
    running: int
    exposed: int
    images: int
    since: float
    severity: int
    kev: bool


class HitImage(Struct, frozen=True):
    """An image that is hit."""

    number: int
    id: str
    name: str
    severity: int
    kev: bool
    containers: int


class Placed(Struct, frozen=True):
    """A container that is not gone."""

    image: int
    service: int
    rank: int
    container: str
    host: str
    name: str
    since: float

    @property
    def running(self) -> bool:
        """Whether it ran when it was last looked at."""
        return self.rank % 2 == 0

    @property
    def exposed(self) -> bool:
        """Whether other machines can reach it."""
        return self.rank < 2


class Holding(Struct, frozen=True):
    """Something in an image, and the layer that brought it."""

    image: int
    what: int
    """The number of a package, or of a file's path."""
    path: str
    position: int
    layer: str
