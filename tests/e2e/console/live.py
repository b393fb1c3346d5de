"""A host with a console, and pages in which nothing may go wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import BrowserContext, Dialog, Page

from testbed.console import Console
from testbed.market import Market
from testbed.protection import Protection


@dataclass
class Live:
    """A host with a console."""

    market: Market
    protection: Protection
    console: Console


@contextmanager
def watched(context: BrowserContext) -> Iterator[Page]:
    """Give a page in which nothing may go wrong: no error, nothing that the page's policy stops, no dialog."""
    faults: list[str] = []
    page = context.new_page()

    def refuse(dialog: Dialog) -> None:
        faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("console", lambda message: faults.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", refuse)
    page.on("response", lambda answer: faults.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    try:
        yield page
    finally:
        context.close()
    assert faults == []
