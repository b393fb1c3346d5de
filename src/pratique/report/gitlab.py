"""A report as GitLab's container-scanning report, which its merge requests and dashboards read. Pure.

Source: gitlab.com/gitlab-org/security-products/security-report-schemas, container-scanning-report-format 15.
"""

import hashlib
from typing import Any, Final

from pratique import __version__
from pratique.model import Finding, FindingKind, Report, Severity
from pratique.report.escape import json_document, well_formed
from pratique.report.order import ADVISORY, place, told, utc, worst_first
from pratique.text import printable

_VERSION: Final = "15.0.7"
_SEVERITY: Final = {
    Severity.CRITICAL: "Critical",
    Severity.HIGH: "High",
    Severity.MEDIUM: "Medium",
    Severity.LOW: "Low",
    Severity.NEGLIGIBLE: "Info",
    Severity.UNKNOWN: "Unknown",
}
_TOOL: Final = {"id": "pratique", "name": "Pratique", "version": __version__, "vendor": {"name": "Pratique"}}


def render_gitlab(report: Report) -> str:
    """Return a report as a container-scanning report; every kind of finding is a vulnerability to GitLab."""
    messages = [{"level": "warn", "value": printable(f"not read: {told(unread)}")} for unread in report.unread]
    return json_document(
        {
            "version": _VERSION,
            "scan": {
                "analyzer": _TOOL,
                "scanner": _TOOL,
                "type": "container_scanning",
                "start_time": utc(report.scanned_at).removesuffix("Z"),
                "end_time": utc(report.scanned_at + report.duration_s).removesuffix("Z"),
                "status": "success",
                "messages": messages,
            },
            "vulnerabilities": [
                _vulnerability(finding, report) for finding in sorted(report.findings, key=worst_first)
            ],
        }
    )


def _vulnerability(finding: Finding, report: Report) -> dict[str, Any]:
    rule = well_formed(finding.rule) or finding.kind.value
    kind = "cve" if rule.startswith("CVE-") else "pratique"
    identifier = {"type": kind, "name": rule, "value": rule}
    if finding.kind is FindingKind.VULNERABILITY:
        identifier["url"] = f"https://osv.dev/vulnerability/{rule}" if ADVISORY.fullmatch(rule) else ""
    document = {
        "id": _id(finding, report),
        "name": printable(f"{rule} in {place(finding)}")[:255],
        "description": printable(finding.title + (f" (seen: {finding.evidence})" if finding.evidence else "")),
        "severity": _SEVERITY[finding.severity],
        "identifiers": [{key: value for key, value in identifier.items() if value}],
        "location": {
            "image": printable(report.image.name),
            "operating_system": printable(report.distribution) or "unknown",
            "dependency": {
                "package": {"name": printable(finding.package or place(finding))},
                "version": printable(finding.version) or "unknown",
            },
        },
    }
    if finding.fixed_version:
        document["solution"] = printable(f"Upgrade to {finding.fixed_version}")
    return document


def _id(finding: Finding, report: Report) -> str:
    identity = repr((report.image.name, finding.kind, finding.rule, finding.package, finding.version, finding.path))
    return hashlib.sha256(identity.encode(errors="backslashreplace")).hexdigest()
