"""What every format shares: the kinds of findings, their order, and times. Pure."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from pratique.model import Finding, FindingKind, Report, Unread

KINDS: Final = {
    FindingKind.MALWARE: "malware",
    FindingKind.BEHAVIOUR: "behaviour",
    FindingKind.SECRET: "secrets",
    FindingKind.MISCONFIGURATION: "misconfigurations",
    FindingKind.VULNERABILITY: "vulnerabilities",
}
"""Kind → the title of its chapter, in the order in which people should read them."""
ADVISORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{1,99}")
"""An id that may be part of a URL as it is."""
CONFIGURATION: Final = "the image's configuration"
"""Where a finding is that is in no file."""


class Judgement(Struct, frozen=True):
    """What a gate made of a report; formats that are read by people or by a pipeline show it."""

    passed: bool
    reasons: tuple[str, ...] = ()
    """For people: why not; or what could not be known."""
    at_fault: tuple[Finding, ...] = ()
    """The findings that fail the gate; the others are told, and fail nothing."""


def worst_first(finding: Finding) -> tuple[int, str, str, str, str]:
    """Return a sort key: the worst first, then by what they are about."""
    return -finding.severity.rank, finding.package or finding.path, finding.rule, finding.version, finding.path


def chapters(report: Report) -> Iterator[tuple[FindingKind, str, list[Finding]]]:
    """Yield each kind with its title and its findings, the worst first; kinds without findings too.

    Behaviour is left out when there is none: a report does not tell whether the image ran in the sandbox.
    """
    for kind, title in KINDS.items():
        findings = sorted((finding for finding in report.findings if finding.kind is kind), key=worst_first)
        if findings or kind is not FindingKind.BEHAVIOUR:
            yield kind, title, findings


def place(finding: Finding) -> str:
    """Return where a finding is, for people."""
    if finding.package:
        return f"{finding.package} {finding.version}".rstrip()
    return f"/{finding.path}" if finding.path else CONFIGURATION


def told(unread: Unread) -> str:
    """Return what could not be read and why, for people."""
    reason = unread.reason or "could not be read"
    return f"{unread.path}: {reason}" if unread.path else reason


def utc(at: float) -> str:
    """Return a time as RFC 3339 in whole seconds, which CycloneDX, SPDX and SARIF all take."""
    return f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%dT%H:%M:%SZ}"
