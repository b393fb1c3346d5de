"""The numbers of a report."""

from collections import Counter

from msgspec import Struct

from pratique.model import FindingKind, Report, Severity


class Summary(Struct, frozen=True):
    """How many findings there are of each kind, and of each severity within it; zeros are left out."""

    packages: int
    files: int
    unread: int
    malware: dict[Severity, int]
    behaviour: dict[Severity, int]
    """Seen in the sandbox."""
    secret: dict[Severity, int]
    misconfiguration: dict[Severity, int]
    vulnerability: dict[Severity, int]
    fixable: int
    """Vulnerabilities for which a fixed version exists."""

    def of(self, kind: FindingKind) -> dict[Severity, int]:
        """Return the counts of one kind, worst first."""
        counts: dict[Severity, int] = getattr(self, kind.value)
        return counts


def summarize(report: Report) -> Summary:
    """Count a report's findings."""
    counts = Counter((finding.kind, finding.severity) for finding in report.findings)

    def of(kind: FindingKind) -> dict[Severity, int]:
        return {severity: counts[kind, severity] for severity in reversed(Severity) if counts[kind, severity]}

    return Summary(
        packages=len(report.packages),
        files=report.files,
        unread=len(report.unread),
        malware=of(FindingKind.MALWARE),
        behaviour=of(FindingKind.BEHAVIOUR),
        secret=of(FindingKind.SECRET),
        misconfiguration=of(FindingKind.MISCONFIGURATION),
        vulnerability=of(FindingKind.VULNERABILITY),
        fixable=sum(bool(f.fixed_version) for f in report.findings if f.kind is FindingKind.VULNERABILITY),
    )
