"""A report as text."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from pratique.model import Detonation, Report
from pratique.report.cyclonedx import render_cyclonedx
from pratique.report.escape import json_document, json_line, sound
from pratique.report.gitlab import render_gitlab
from pratique.report.junit import render_junit
from pratique.report.markdown import render_markdown
from pratique.report.order import Judgement, chapters
from pratique.report.page import render_html
from pratique.report.sarif import render_sarif
from pratique.report.spdx import render_spdx
from pratique.report.summary import summarize
from pratique.report.table import DEFAULT_WIDTH, render_table


class Format(StrEnum):
    """How a report is shown."""

    TABLE = "table"
    """For people: plain text, made for a width."""
    JSON = "json"
    """The report as it is, with a ``summary``; its ``version`` changes when a field changes its meaning."""
    JSONL = "jsonl"
    """A line for each finding, with the image that it is in."""
    SARIF = "sarif"
    JUNIT = "junit"
    CYCLONEDX = "cyclonedx"
    SPDX = "spdx-json"
    GITLAB = "gitlab"
    """GitLab's container-scanning report."""
    MARKDOWN = "markdown"
    HTML = "html"


def render(report: Report, form: Format, *, width: int = DEFAULT_WIDTH, judgement: Judgement | None = None) -> str:
    """Return a report as text that ends with a line break; the same report gives the same text.

    :param width: columns of a table
    :param judgement: what a gate made of it, for formats that have a place for that: JSON, JUnit, Markdown, HTML
    """
    match form:
        case Format.TABLE:
            return render_table(report, width)
        case Format.JSON | Format.JUNIT | Format.MARKDOWN | Format.HTML:
            return _JUDGED[form](report, judgement)
        case _:
            return _PLAIN[form](report)


def with_behaviour(report: Report, detonation: Detonation) -> Report:
    """Return a report that tells what the image did in the sandbox as well."""
    return msgspec.structs.replace(report, findings=(*report.findings, *detonation.findings))


def _json(report: Report, judgement: Judgement | None) -> str:
    document = {**msgspec.to_builtins(report), "summary": msgspec.to_builtins(summarize(report))}
    if judgement is not None:
        document["gate"] = {"passed": judgement.passed, "reasons": judgement.reasons}
    return json_document(sound(document))


def _lines(report: Report) -> str:
    about = {"image": report.image.id, "name": report.image.name, "scanned_at": report.scanned_at}
    entries = [
        msgspec.json.encode(sound({**about, **msgspec.to_builtins(finding)}))
        for _, _, findings in chapters(report)
        for finding in findings
    ]
    return "".join(json_line(entry.decode()) for entry in entries)


_JUDGED: Final[Mapping[Format, Callable[[Report, Judgement | None], str]]] = {
    Format.JSON: _json,
    Format.JUNIT: render_junit,
    Format.MARKDOWN: render_markdown,
    Format.HTML: render_html,
}
_PLAIN: Final[Mapping[Format, Callable[[Report], str]]] = {
    Format.JSONL: _lines,
    Format.SARIF: render_sarif,
    Format.CYCLONEDX: render_cyclonedx,
    Format.SPDX: render_spdx,
    Format.GITLAB: render_gitlab,
}
