"""The market under ``pratique up``, and its console in a real Chromium."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from playwright.sync_api import Page, Playwright, sync_playwright

from testbed.browser import CHROMIUM
from testbed.console import ADDRESS, open_console
from testbed.market import Market, import_advisories, policy_of_market
from testbed.protection import Protection
from testbed.stage import Stage, open_stage
from tests.conftest import cannot
from tests.e2e.console.live import Live, watched


@pytest.fixture(scope="package")
def playwright(root: None) -> Iterator[Playwright]:
    """What drives browsers."""
    del root
    if not CHROMIUM.exists():
        cannot(f"needs {CHROMIUM}: 'make setup' installs it")
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def live(playwright: Playwright) -> Iterator[Live]:
    """The market as it is after the attacker was there."""
    with (
        open_stage("hybrid", daemon_json={"live-restore": True}) as stage,
        protected(stage) as protection,
        closing(Market(stage)) as market,
        open_console(playwright, protection) as console,
    ):
        market.suffer()
        yield Live(market, protection, console)


@contextmanager
def protected(stage: Stage) -> Iterator[Protection]:
    """Protect the host, with what is known about vulnerabilities imported first."""
    protection = Protection(stage.engine, policy_of_market(), console=ADDRESS)
    import_advisories(protection)
    with protection:
        yield protection


@pytest.fixture
def page(live: Live) -> Iterator[Page]:
    """A page of an operator who is signed in."""
    with watched(live.console.context()) as page:
        yield page
