"""A report as JUnit XML, as CI servers read it: a suite for each kind of finding, a case for each finding. Pure."""

from collections.abc import Iterator

from pratique.model import Finding, Report
from pratique.report.escape import markup
from pratique.report.order import Judgement, chapters, place, utc


def render_junit(report: Report, judgement: Judgement | None) -> str:
    """Return a report as test results; what could not be read is an error.

    :param judgement: where there is one, only findings that fail the gate are failures
    """
    suites: list[str] = []
    cases = failures = 0
    for kind, title, findings in chapters(report):
        failing = [judgement is None or finding in judgement.at_fault for finding in findings]
        count = max(1, len(findings))
        attributes = f'name="{kind.value}" tests="{count}" failures="{sum(failing)}" errors="0" skipped="0" time="0"'
        lines = [f'  <testsuite {attributes} timestamp="{utc(report.scanned_at).removesuffix("Z")}">']
        for finding, fails in zip(findings, failing, strict=True):
            lines += _case(finding, fails=fails)
        if not findings:
            lines.append(f'    <testcase classname="pratique.{kind.value}" name="no {title}" time="0"/>')
        suites += [*lines, "  </testsuite>"]
        cases += count
        failures += sum(failing)
    suites += _unread(report)
    cases += max(1, len(report.unread))
    totals = f'tests="{cases}" failures="{failures}" errors="{len(report.unread)}" time="{report.duration_s:.3f}"'
    head = f'<testsuites name="{markup(report.image.name)}" {totals}>'
    return "\n".join(('<?xml version="1.0" encoding="UTF-8"?>', head, *suites, "</testsuites>")) + "\n"


def _case(finding: Finding, *, fails: bool) -> Iterator[str]:
    name = markup(f"{finding.rule} in {place(finding)}")
    yield f'    <testcase classname="pratique.{finding.kind.value}" name="{name}" time="0">'
    text = f"{finding.severity.value}: {finding.title}"
    lines = [text, f"path: /{finding.path}" if finding.path else ""]
    lines += [f"fixed in: {finding.fixed_version}" if finding.fixed_version else "", finding.evidence]
    body = "\n".join(markup(line) for line in lines if line)
    if fails:
        yield f'      <failure type="{finding.severity.value}" message="{markup(text)}">{body}</failure>'
    else:
        yield f"      <system-out>{body}</system-out>"
    yield "    </testcase>"


def _unread(report: Report) -> Iterator[str]:
    count = len(report.unread)
    attributes = f'tests="{max(1, count)}" failures="0" errors="{count}" skipped="0" time="0"'
    yield f'  <testsuite name="read" {attributes} timestamp="{utc(report.scanned_at).removesuffix("Z")}">'
    if not count:
        yield '    <testcase classname="pratique.read" name="everything was read" time="0"/>'
    for unread in report.unread:
        yield f'    <testcase classname="pratique.read" name="{markup(unread.path or "image")}" time="0">'
        yield f'      <error type="unread" message="{markup(unread.reason)}"/>'
        yield "    </testcase>"
    yield "  </testsuite>"
