"""A report as text."""

from enum import StrEnum
from typing import assert_never

import msgspec

from pratique.model import Report
from pratique.report.summary import summarize
from pratique.report.table import DEFAULT_WIDTH, render_table


class Format(StrEnum):
    """How a report is shown."""

    TABLE = "table"
    """For people: plain text, made for a width."""
    JSON = "json"
    """The report as it is, with a ``summary``; its ``version`` changes when a field changes its meaning."""


def render(report: Report, form: Format, *, width: int = DEFAULT_WIDTH) -> str:
    """Return a report as text that ends with a line break.

    :param width: columns of a table
    """
    match form:
        case Format.TABLE:
            return render_table(report, width)
        case Format.JSON:
            document = {**msgspec.to_builtins(report), "summary": msgspec.to_builtins(summarize(report))}
            return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
        case _:
            assert_never(form)
