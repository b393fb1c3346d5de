"""``make screenshots``: the pictures of the console in the documentation, from a live host, light and dark."""

import time
from contextlib import closing
from pathlib import Path
from typing import Final, get_args

from playwright.sync_api import Page, expect, sync_playwright

from testbed.console import ADDRESS, Console, Scheme, open_console
from testbed.fleet import CVE
from testbed.market import Market, import_advisories, policy_of_market
from testbed.protection import Protection
from testbed.stage import open_stage

_FOLDER: Final = Path(__file__).parent.parent / "docs" / "assets" / "console"
_REPLICAS: Final = 3
_SETTLE_S: Final = 12.0
"""In this time the market does business, and the courier is refused again and again."""
_DRIFT: Final = "A program that is not in the image was executed"
_PAGES: Final = {
    "overview": "/",
    "map": "/map",
    "images": "/images",
    "image": "/images",
    "containers": "/containers",
    "container": "/containers",
    "alerts": "/alerts",
    "alert": "/alerts",
    "blast": f"/blast?q={CVE}",
    "review": "/review",
    "decisions": "/decisions",
}
_FOLLOW: Final = {"image": "evil/miner:1", "container": "checkout", "alert": _DRIFT, "map": "shop/courier"}
"""The link that is followed from there."""


def main() -> None:
    """Play the market and take the pictures."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, open_stage("hybrid", daemon_json={"live-restore": True}) as stage:
        protection = Protection(stage.engine, policy_of_market(), console=ADDRESS)
        import_advisories(protection)
        with protection, closing(Market(stage, _REPLICAS)) as market, open_console(playwright, protection) as console:
            market.suffer()
            protection.run("quarantine", "nightly", "--reason", "it behaves oddly")
            time.sleep(_SETTLE_S)
            for scheme in get_args(Scheme):
                _take(console, scheme)


def _take(console: Console, scheme: Scheme) -> None:
    with console.context(scheme) as context:
        page = context.new_page()
        for name, path in _PAGES.items():
            page.goto(path)
            if name in _FOLLOW:
                page.get_by_role("link", name=_FOLLOW[name], exact=True).first.click()
            expect(page.locator("#panel h2") if name == "map" else page.locator("h1")).to_be_visible()
            page.mouse.move(0, 0)
            page.evaluate("() => document.activeElement.blur()")
            _save(page, f"{name}-{scheme}")
    with console.stranger() as context:
        page = context.new_page()
        page.emulate_media(color_scheme=scheme)
        page.goto("/login")
        _save(page, f"login-{scheme}")


def _save(page: Page, name: str) -> None:
    for place in page.locator("[data-map], [data-graph], [data-chart]").all():
        expect(place).to_have_attribute("data-picture", "ready")
    page.evaluate("() => document.fonts.ready.then(() => scrollTo(0, 0))")
    page.screenshot(path=_FOLDER / f"{name}.png", animations="disabled")
    print(f"docs/assets/console/{name}.png")


if __name__ == "__main__":
    main()
