"""Something in an image that a reader should know."""

from enum import StrEnum

from msgspec import Struct


class Severity(StrEnum):
    """How bad, in the order written here; compare by :attr:`rank`."""

    UNKNOWN = "unknown"
    NEGLIGIBLE = "negligible"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for unknown up to 5 for critical."""
        return list(Severity).index(self)


class FindingKind(StrEnum):
    """What sort of finding."""

    VULNERABILITY = "vulnerability"
    MALWARE = "malware"
    SECRET = "secret"
    MISCONFIGURATION = "misconfiguration"
    BEHAVIOUR = "behaviour"
    """Seen when the image was run in the sandbox."""


class Finding(Struct, frozen=True):
    """One finding. ``rule`` is a CVE/OSV id for a vulnerability, else the id of our rule."""

    kind: FindingKind
    rule: str
    severity: Severity
    title: str
    path: str = ""
    """The file in the image, or ``""`` when the finding is about the image's configuration."""
    evidence: str = ""
    """What was seen, bounded and with secrets redacted."""
    package: str = ""
    version: str = ""
    ecosystem: str = ""
    fixed_version: str = ""
    """The first version without the vulnerability, or ``""`` when there is none."""
    aliases: tuple[str, ...] = ()
