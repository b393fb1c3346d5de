"""Renders a report. Pure.

In: a report, what a gate made of it. Out: text: a table for people, the versioned JSON document, or one of the formats
that other tools read. Never: knows how a thing was found.
"""

from pratique.report.detonation import allow_list, render_detonation, render_detonation_json
from pratique.report.order import Judgement
from pratique.report.render import Format, render, with_behaviour
from pratique.report.summary import Summary, summarize

__all__ = [
    "Format",
    "Judgement",
    "Summary",
    "allow_list",
    "render",
    "render_detonation",
    "render_detonation_json",
    "summarize",
    "with_behaviour",
]
