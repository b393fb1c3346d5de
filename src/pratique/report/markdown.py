"""A report as Markdown (GitHub's and GitLab's), for a job's summary or a comment. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from pratique.model import Finding, FindingKind, Report
from pratique.report.escape import markdown
from pratique.report.order import Judgement, chapters, place
from pratique.text import count

_MAX_ROWS: Final = 200
"""Of one kind: GitHub cuts off a summary beyond 1 MiB."""
_MAX_CELL: Final = 300


def render_markdown(report: Report, judgement: Judgement | None) -> str:
    """Return a report as a heading, the sums and a table for each kind of finding."""
    return "\n".join(_lines(report, judgement)) + "\n"


def _lines(report: Report, judgement: Judgement | None) -> Iterator[str]:
    image = report.image
    if judgement is None:
        yield f"## Pratique: {_cell(image.name)}"
    else:
        yield f"## {'✅' if judgement.passed else '❌'} Pratique: {_cell(image.name)} {_verdict(judgement)}"
        if judgement.reasons:
            yield ""
            yield from (f"- {_cell(reason)}" for reason in judgement.reasons)
    yield ""
    yield f"- image id {_cell(image.id)}"
    system = _cell(report.distribution) or "no distribution"
    yield f"- {system}, {count(len(report.packages), 'package')}, {count(report.files, 'file')}"
    yield f"- advisories: {_advisories(report)}"
    if report.unread:
        yield f"- **{len(report.unread)} parts could not be read**"
    yield ""
    yield from _table(("", *_severities()), _sums(report))
    for kind, title, findings in chapters(report):
        if findings:
            yield from ("", f"### {title.capitalize()} ({len(findings)})", "")
            yield from _findings(kind, findings)
    if report.unread:
        yield from ("", f"### Unread ({len(report.unread)})", "")
        rows = [(_cell(unread.path or "the image"), _cell(unread.reason)) for unread in report.unread[:_MAX_ROWS]]
        yield from _table(("part", "why"), rows)
        yield from _more(report.unread)


def _verdict(judgement: Judgement) -> str:
    return "passes" if judgement.passed else "does not pass"


def _severities() -> tuple[str, ...]:
    return "critical", "high", "medium", "low", "other"


def _sums(report: Report) -> Iterator[tuple[str, ...]]:
    names = _severities()
    for kind, title, findings in chapters(report):
        counts = dict.fromkeys(names, 0)
        for finding in findings:
            counts[finding.severity.value if finding.severity.value in counts else "other"] += 1
        unknown = kind is FindingKind.VULNERABILITY and not report.advisories_at
        yield (title, *("?" if unknown else str(count or "-") for count in counts.values()))


def _findings(kind: FindingKind, findings: Sequence[Finding]) -> Iterator[str]:
    shown = findings[:_MAX_ROWS]
    if kind is FindingKind.VULNERABILITY:
        heads: tuple[str, ...] = ("severity", "advisory", "package", "version", "fixed in", "title")
        rows = [(f.severity.value, f.rule, f.package, f.version, f.fixed_version or "-", f.title) for f in shown]
        yield from _table(heads, (map(_cell, row) for row in rows))
    else:
        located = [(f.severity.value, f.rule, place(f), f.title, f.evidence or "-") for f in shown]
        yield from _table(("severity", "rule", "where", "title", "seen"), (map(_cell, row) for row in located))
    yield from _more(findings)


def _more(entries: Sequence[object]) -> Iterator[str]:
    if len(entries) > _MAX_ROWS:
        yield from ("", f"… and {len(entries) - _MAX_ROWS} more")


def _advisories(report: Report) -> str:
    if not report.advisories_at:
        return "no database, so vulnerabilities are not known"
    return f"of {datetime.fromtimestamp(report.advisories_at, UTC):%Y-%m-%d %H:%M} UTC"


def _table(heads: Sequence[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _cell(text: str) -> str:
    return markdown(text if len(text) <= _MAX_CELL else f"{text[:_MAX_CELL]}…")
