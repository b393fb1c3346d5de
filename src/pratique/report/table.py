"""A report for people: what it is about, the findings by kind, the sums."""

import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from pratique.model import Finding, FindingKind, Report
from pratique.report.order import CONFIGURATION, chapters, told
from pratique.report.summary import summarize
from pratique.text import count, printable

DEFAULT_WIDTH: Final = 100
_MIN_WIDTH: Final = 60
_GAP: Final = "  "
_NO_DATABASE: Final = "no advisory database: pratique db update"
_MAX_UNREAD: Final = 20


def render_table(report: Report, width: int) -> str:
    """Return a report as plain text within ``width`` columns, where words allow it."""
    width = max(width, _MIN_WIDTH)
    lines = [*_head(report)]
    for kind, title, findings in chapters(report):
        if findings:
            lines += ["", f"{title.upper()} ({len(findings)})"]
            lines += (
                _vulnerabilities(findings, width) if kind is FindingKind.VULNERABILITY else _located(findings, width)
            )
    if report.unread:
        lines += ["", f"UNREAD ({len(report.unread)})"]
        for unread in report.unread[:_MAX_UNREAD]:
            lines += _wrapped(told(unread), width)
        if len(report.unread) > _MAX_UNREAD:
            lines.append(f"  … and {len(report.unread) - _MAX_UNREAD} more")
    lines += ["", *_sums(report)]
    return "\n".join(printable(line.rstrip()) for line in lines) + "\n"


def _head(report: Report) -> Iterator[str]:
    image = report.image
    yield f"image         {image.name}"
    yield f"id            {image.id}"
    yield f"system        {report.distribution or 'no distribution'}, {image.os or '?'}/{image.architecture or '?'}"
    layers = count(len(image.layers), "layer")
    yield f"contents      {count(len(report.packages), 'package')}, {count(report.files, 'file')}, {layers}"
    if report.advisories_at:
        yield f"advisories    of {datetime.fromtimestamp(report.advisories_at, UTC):%Y-%m-%d %H:%M} UTC"
    else:
        yield f"advisories    {_NO_DATABASE}"


def _vulnerabilities(findings: Sequence[Finding], width: int) -> Iterator[str]:
    rows = [("SEVERITY", "ADVISORY", "PACKAGE", "VERSION", "FIXED IN")]
    rows += [(f.severity.value, f.rule, f.package, f.version, f.fixed_version or "-") for f in findings]
    limits = (10, 22, 28, 24, 24)
    widths = [min(limit, max(len(row[column]) for row in rows)) for column, limit in enumerate(limits)]
    room = width - 2 - sum(widths) - len(_GAP) * len(widths)
    for row, finding in zip(rows, [None, *findings], strict=True):
        cells = [_cut(cell, size).ljust(size) for cell, size in zip(row, widths, strict=True)]
        title = "TITLE" if finding is None else finding.title
        yield "  " + _GAP.join(cells) + (_GAP + _cut(title, room) if room >= len("TITLE") + 7 else "")


def _located(findings: Sequence[Finding], width: int) -> Iterator[str]:
    for finding in findings:
        place = f"/{finding.path}" if finding.path else CONFIGURATION
        yield f"  {finding.severity.value:<10}{finding.rule}{_GAP}{place}"
        yield from _wrapped(finding.title, width, indent=12)
        if finding.evidence:
            yield from _wrapped(f"seen: {finding.evidence}", width, indent=12)


def _sums(report: Report) -> Iterator[str]:
    summary = summarize(report)
    for kind, title, _ in chapters(report):
        counts = summary.of(kind)
        parts = ", ".join(f"{count} {severity.value}" for severity, count in counts.items()) or "none"
        fixable = f" ({summary.fixable} with a fix)" if kind is FindingKind.VULNERABILITY and counts else ""
        unknown = kind is FindingKind.VULNERABILITY and not report.advisories_at
        yield f"{title:<19}{_NO_DATABASE if unknown else parts + fixable}"
    read = f"all but {count(len(report.unread), 'part')}" if report.unread else "everything"
    yield f"{'read':<19}{read}"


def _wrapped(text: str, width: int, indent: int = 2) -> list[str]:
    space = " " * indent
    return textwrap.wrap(text, width, initial_indent=space, subsequent_indent=space + "  ") or [space]


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"
