"""Renders a report. Pure.

In: a report. Out: text: a table for people, or the versioned JSON document. Never: knows how a thing was found.
"""

from pratique.report.render import Format, render
from pratique.report.summary import Summary, summarize

__all__ = ["Format", "Summary", "render", "summarize"]
