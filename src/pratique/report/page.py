"""A report as one HTML page: no script, nothing fetched, light and dark. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pratique.model import Finding, FindingKind, Report
from pratique.report.escape import markup
from pratique.report.order import Judgement, chapters, place, utc
from pratique.report.summary import summarize
from pratique.text import count

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin-top: 2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.5rem; } dt { opacity: .7; } dd { margin: 0; }
dd, td { overflow-wrap: anywhere; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
thead th { background: var(--soft); } code { font: .9em ui-monospace, monospace; }
.verdict { border-left: .4rem solid; padding: .3rem 1rem; background: var(--soft); }
.pass { border-color: #1a7f37; } .fail { border-color: #cf222e; }
.critical, .high { color: light-dark(#b3121d, #ff8a8a); font-weight: 600; }
.medium { color: light-dark(#8a5200, #ffc169); } summary { cursor: pointer; }
@media print { details > * { display: block; } }
"""


def render_html(report: Report, judgement: Judgement | None) -> str:
    """Return a report as a page that stands alone."""
    return "\n".join(_page(report, judgement)) + "\n"


def _page(report: Report, judgement: Judgement | None) -> Iterator[str]:
    name = markup(report.image.name)
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{name} · Pratique</title><style>{_STYLE}</style></head><body>"
    yield f"<header><h1>{name}</h1></header><main>"
    if judgement is not None:
        yield from _verdict(judgement)
    yield from _facts(report)
    for kind, title, findings in chapters(report):
        if findings:
            yield f"<section><h2>{title.capitalize()} ({len(findings)})</h2>"
            yield from _vulnerabilities(findings) if kind is FindingKind.VULNERABILITY else _located(findings)
            yield "</section>"
    if report.unread:
        yield f"<section><h2>Unread ({len(report.unread)})</h2>"
        yield from _table(("part", "why"), ((_code(u.path or "the image"), markup(u.reason)) for u in report.unread))
        yield "</section>"
    yield from _packages(report)
    yield "</main></body></html>"


def _verdict(judgement: Judgement) -> Iterator[str]:
    word = "passes" if judgement.passed else "does not pass"
    yield f'<div class="verdict {"pass" if judgement.passed else "fail"}"><p><strong>The image {word}.</strong></p>'
    if judgement.reasons:
        yield f"<ul>{''.join(f'<li>{markup(reason)}</li>' for reason in judgement.reasons)}</ul>"
    yield "</div>"


def _facts(report: Report) -> Iterator[str]:
    summary = summarize(report)
    facts = {
        "image id": _code(report.image.id),
        "system": markup(report.distribution or "no distribution"),
        "contents": ", ".join(
            count(number, noun)
            for number, noun in (
                (len(report.packages), "package"),
                (report.files, "file"),
                (len(report.image.layers), "layer"),
            )
        ),
        "scanned": utc(report.scanned_at),
        "advisories": f"of {utc(report.advisories_at)}" if report.advisories_at else "no database",
    }
    for kind, title, findings in chapters(report):
        counts = ", ".join(f"{count} {severity.value}" for severity, count in summary.of(kind).items())
        unknown = kind is FindingKind.VULNERABILITY and not report.advisories_at
        facts[title] = "not known" if unknown and not findings else counts or "none"
    yield f"<dl>{''.join(f'<dt>{term}</dt><dd>{fact}</dd>' for term, fact in facts.items())}</dl>"


def _vulnerabilities(findings: Sequence[Finding]) -> Iterator[str]:
    heads = ("severity", "advisory", "package", "version", "fixed in", "title")
    yield from _table(
        heads,
        (
            (_severity(f), *map(_code, (f.rule, f.package, f.version, f.fixed_version or "-")), markup(f.title))
            for f in findings
        ),
    )


def _located(findings: Sequence[Finding]) -> Iterator[str]:
    heads = ("severity", "rule", "where", "title", "seen")
    rows = ((_severity(f), _code(f.rule), _code(place(f)), markup(f.title), _code(f.evidence)) for f in findings)
    yield from _table(heads, rows)


def _packages(report: Report) -> Iterator[str]:
    if not report.packages:
        return
    yield f"<section><h2>Packages</h2><details><summary>{count(len(report.packages), 'package')}</summary>"
    rows = ((markup(p.name), _code(p.version), markup(p.ecosystem), _code(f"/{p.path}")) for p in report.packages)
    yield from _table(("name", "version", "ecosystem", "from"), rows)
    yield "</details></section>"


def _severity(finding: Finding) -> str:
    return f'<span class="{finding.severity.value}">{finding.severity.value}</span>'


def _code(text: str) -> str:
    return f"<code>{markup(text)}</code>" if text else ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    heading = "".join(f'<th scope="col">{head}</th>' for head in heads)
    yield f"<table><thead><tr>{heading}</tr></thead><tbody>"
    yield from (f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    yield "</tbody></table>"
