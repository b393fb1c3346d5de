"""A host with a console, and pages in which nothing may go wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from docker.models.containers import Container
from playwright.sync_api import BrowserContext, Dialog, Page, expect

from testbed.console import Console
from testbed.market import Market
from testbed.protection import Protection

PATIENCE_MS: Final = 20_000
"""How long a page may take where a machine is busy."""


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


def wait_for_pictures(page: Page) -> None:
    """Wait until canvases are drawn."""
    for place in page.locator("[data-map], [data-graph], [data-chart]").all():
        expect(place).to_have_attribute("data-picture", "ready", timeout=PATIENCE_MS)


def reaches(container: Container, peer: tuple[str, int]) -> bool:
    """Whether a container can open a connection."""
    _, output = container.exec_run(["probe", "tcp", peer[0], str(peer[1]), "GET / HTTP/1.0\r\n\r\n"])
    assert isinstance(output, bytes)
    return b"connected" in output
