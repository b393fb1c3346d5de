"""Whether a report passes. Pure."""

from pratique.model import Behaviour, Detonation, Finding, FindingKind, Report, Severity
from pratique.policy.document import Access, Admission, Gate

_KIND_OF_GATE = {
    Gate.MALWARE: FindingKind.MALWARE,
    Gate.SECRET: FindingKind.SECRET,
    Gate.MISCONFIGURATION: FindingKind.MISCONFIGURATION,
}


def judge_report(report: Report, admission: Admission) -> tuple[Finding, ...] | str:
    """Return why an image may not run: the findings at fault, or why the report is incomplete; ``()``: it may run."""
    at_fault = tuple(finding for finding in report.findings if any(_fails(finding, gate) for gate in admission.fail_on))
    if at_fault:
        return at_fault
    if admission.incomplete is Access.ALLOW:
        return ()
    if not report.advisories_at and any(gate not in _KIND_OF_GATE for gate in admission.fail_on):
        return "its vulnerabilities are not known: there was no advisory database when it was scanned"
    if report.unread:
        first = report.unread[0]
        return f"{len(report.unread)} parts of the image could not be read, first {first.path}: {first.reason}"
    return ()


def judge_detonation(detonation: Detonation | None, admission: Admission) -> str:
    """Return why what an image did in the sandbox keeps it from running, or ``""``."""
    if admission.require.detonated is None:
        return ""
    if detonation is None:
        return "it was not detonated yet"
    if detonation.verdict is Behaviour.CLEAN:
        return ""
    return f"its detonation is {detonation.verdict}: {detonation.reason}"


def explain_fault(fault: tuple[Finding, ...] | str) -> str:
    """Return what :func:`judge_report` found as one line for people; ``""`` when the image may run."""
    if isinstance(fault, str):
        return fault
    if not fault:
        return ""
    first = fault[0]
    where = f" in {first.path or first.package}" if first.path or first.package else ""
    others = f" and {len(fault) - 1} more" if len(fault) > 1 else ""
    return f"{first.kind}: {first.title} ({first.rule}){where}{others}"


def _fails(finding: Finding, gate: Gate) -> bool:
    kind = _KIND_OF_GATE.get(gate)
    if kind is not None:
        return finding.kind is kind
    return (
        finding.kind is FindingKind.VULNERABILITY
        and bool(finding.fixed_version)
        and finding.severity.rank >= Severity(gate.value).rank
    )
