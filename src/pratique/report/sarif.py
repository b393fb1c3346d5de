"""A report as SARIF 2.1.0 (OASIS), as code-scanning services take it. Pure.

A file of the image is an artifact below the base ``IMAGE``; what is in no file is about the configuration, for which
the artifact ``image.json`` stands. Regions are there because services show nothing that has no line.
"""

import hashlib
import urllib.parse
from typing import Any, Final

from pratique import __version__
from pratique.model import Finding, FindingKind, Report, Severity
from pratique.report.escape import json_document, well_formed
from pratique.report.order import ADVISORY, KINDS, place, told, utc, worst_first
from pratique.text import printable

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.NEGLIGIBLE: "note",
    Severity.UNKNOWN: "note",
}
_SCORE: Final = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
    Severity.NEGLIGIBLE: "0.5",
    Severity.UNKNOWN: "0.0",
}
"""``security-severity``: a number within the range that code-scanning services give each word."""
_HELP: Final = {
    FindingKind.VULNERABILITY: "upgrade the package to a fixed version, or re-build on a base that has it.",
    FindingKind.MALWARE: "do not run the image; find out how this came into it.",
    FindingKind.SECRET: "revoke it, and re-build without it: who has the image has the secret, in lower layers too.",
    FindingKind.MISCONFIGURATION: "change what the image is built from.",
    FindingKind.BEHAVIOUR: "do not run the image; the alert of the same rule tells what it means.",
}
"""What to do; code-scanning services demand a help text for each rule."""
_CONFIGURATION_FILE: Final = "image.json"
_REGION: Final = {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}


def render_sarif(report: Report) -> str:
    """Return a report as one run of one tool."""
    findings = sorted(report.findings, key=lambda finding: (list(KINDS).index(finding.kind), worst_first(finding)))
    rules: dict[str, Finding] = {}
    for finding in findings:
        rules.setdefault(_rule_id(finding), finding)
    numbers = {rule: number for number, rule in enumerate(rules)}
    driver = {
        "name": "Pratique",
        "semanticVersion": __version__,
        "rules": [_rule(rule, finding) for rule, finding in rules.items()],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"pratique/{_quoted(report.image.name)}/"},
        "invocations": [_invocation(report)],
        "originalUriBaseIds": {"IMAGE": {"description": {"text": "The root of the image's file system."}}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, numbers[_rule_id(finding)]) for finding in findings],
        "properties": {"image": report.image.id, "name": well_formed(report.image.name)},
    }
    return json_document({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule_id(finding: Finding) -> str:
    return well_formed(finding.rule) or finding.kind.value


def _rule(rule: str, finding: Finding) -> dict[str, Any]:
    title = printable(finding.title) or rule
    document: dict[str, Any] = {
        "id": rule,
        "shortDescription": {"text": title},
        "fullDescription": {"text": title},
        "help": {"text": f"{printable(rule)}: {_HELP[finding.kind]}"},
        "defaultConfiguration": {"level": _LEVEL[finding.severity]},
        "properties": {
            "security-severity": _SCORE[finding.severity],
            "tags": ["security", finding.kind.value],
        },
    }
    if finding.kind is FindingKind.VULNERABILITY and ADVISORY.fullmatch(rule):
        document["helpUri"] = f"https://osv.dev/vulnerability/{rule}"
    return document


def _result(finding: Finding, number: int) -> dict[str, Any]:
    location: dict[str, Any] = {"uri": _quoted(finding.path) or _CONFIGURATION_FILE}
    if finding.path:
        location["uriBaseId"] = "IMAGE"
    rule = _rule_id(finding)
    return {
        "ruleId": rule,
        "ruleIndex": number,
        "level": _LEVEL[finding.severity],
        "message": {"text": printable(_message(finding))},
        "locations": [{"physicalLocation": {"artifactLocation": location, "region": _REGION}}],
        "partialFingerprints": {"pratique/v1": _fingerprint(rule, finding)},
        "properties": {"severity": finding.severity.value},
    }


def _message(finding: Finding) -> str:
    parts = [f"{place(finding)}: {finding.title}"]
    if finding.kind is FindingKind.VULNERABILITY:
        parts.append(f"fixed in {finding.fixed_version}" if finding.fixed_version else "no fix yet")
    if finding.evidence:
        parts.append(f"seen: {finding.evidence}")
    # A message is no place for links: [text](target) would be one (3.11.6).
    return "; ".join(parts).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _fingerprint(rule: str, finding: Finding) -> str:
    """Return what stays the same from scan to scan, so that an alert is not told anew with each version."""
    identity = repr((finding.kind.value, rule, finding.package, finding.path))
    return hashlib.sha256(identity.encode(errors="backslashreplace")).hexdigest()[:32]


def _invocation(report: Report) -> dict[str, Any]:
    notes = [{"level": "warning", "message": {"text": printable(told(unread))}} for unread in report.unread]
    invocation: dict[str, Any] = {
        "executionSuccessful": True,
        "startTimeUtc": utc(report.scanned_at),
        "endTimeUtc": utc(report.scanned_at + report.duration_s),
    }
    return {**invocation, "toolExecutionNotifications": notes} if notes else invocation


def _quoted(path: str) -> str:
    """Return a path as a relative URI reference (RFC 3986): never absolute, never with a way up."""
    quoted = urllib.parse.quote(path.lstrip("/"), safe="/", errors="backslashreplace")
    return "/".join(part.replace(".", "%2E") if part in {".", ".."} else part for part in quoted.split("/"))
