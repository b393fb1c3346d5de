"""Every page: it loads with no complaint, its text can be read by everybody, the keyboard is enough."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from testbed.console import URL
from testbed.market import SCRIPT
from tests.e2e.console.live import Live, wait_for_pictures, watched

PLAIN = {
    "/": "Overview",
    "/map": "Service map",
    "/flows": "Traffic",
    "/images": "Images",
    "/containers": "Containers",
    "/alerts": "Alerts",
    "/blast": "Blast radius",
    "/review": "Allow-lists",
    "/policy": "Policy",
    "/decisions": "Decisions",
    "/decisions/check": "The chain of decisions",
}
"""Address → heading."""


def first(page: Page, path: str, name: str) -> None:
    """Open the first thing of a list that has a name."""
    page.goto(path)
    page.get_by_role("link", name=name, exact=True).first.click()
    expect(page.locator("h1")).to_be_visible()


DETAILS: dict[str, Callable[[Page], None]] = {
    "image": lambda page: first(page, "/images", "evil/miner:1"),
    "container": lambda page: first(page, "/containers", "checkout"),
    "alert": lambda page: first(page, "/alerts", "A program that is not in the image was executed"),
    "edge": lambda page: first(page, "/map", "shop/courier"),
}


@pytest.mark.parametrize("path", PLAIN)
def test_page_loads_without_complaint(page: Page, path: str) -> None:
    answer = page.goto(path)
    assert answer is not None
    assert answer.ok
    expect(page.locator("h1")).to_have_text(PLAIN[path])
    expect(page.locator(".beat")).to_have_text("Live")
    wait_for_pictures(page)


@pytest.mark.parametrize("name", DETAILS)
def test_detail_loads_without_complaint(page: Page, name: str) -> None:
    DETAILS[name](page)
    expect(page.locator("h1")).to_be_visible()


def test_no_page_has_a_serious_fault_of_accessibility(live: Live) -> None:
    faults = []
    # axe brings its own style sheet, which the console's policy would stop; the page stays what it is
    with live.console.context(bypass_csp=True) as context:
        page = context.new_page()
        for name, visit in {**{path: goer(path) for path in PLAIN}, **DETAILS}.items():
            page.emulate_media(color_scheme="light", reduced_motion="reduce")  # a row that fades has no one colour
            visit(page)
            wait_for_pictures(page)
            faults += serious_faults(page, name, {"preload": False})
            page.emulate_media(color_scheme="dark")
            faults += serious_faults(page, f"{name} (dark)", {"preload": False, "runOnly": ["color-contrast"]})
    assert faults == []


def serious_faults(page: Page, name: str, options: dict[str, object]) -> list[str]:
    return [
        f"{name}: {fault['id']} ({fault['impact']}): {fault['nodes'][0]['html'][:200]}"
        for fault in Axe().run(page, options=options).response["violations"]
        if fault["impact"] in {"serious", "critical"}
    ]


def goer(path: str) -> Callable[[Page], None]:
    def visit(page: Page) -> None:
        page.goto(path)

    return visit


def test_keyboard_alone_leads_from_the_login_to_an_alert(live: Live) -> None:
    link = live.console.link()
    token = link.partition("#")[2]
    with watched(live.console.stranger()) as page:
        page.goto("/login")
        page.keyboard.type(token)  # the field has the focus
        page.keyboard.press("Enter")
        page.wait_for_url(f"{URL}/")
        tab_to(page, "Alerts")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{URL}/alerts")
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to the content")
        page.keyboard.press("Enter")
        expect(page.locator(":focus")).to_have_id("main")
        title = "A program that is not in the image was executed"
        tab_to(page, title)
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text(title)


def tab_to(page: Page, name: str) -> None:
    """Press Tab until something with this text has the focus, and demand that the focus can be seen all the way."""
    for _ in range(80):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            "() => { const at = document.activeElement;"
            " return [at.textContent.trim(), getComputedStyle(at).outlineStyle] }"
        )
        assert seen[1] != "none", seen
        if seen[0] == name:
            return
    pytest.fail(f"Tab does not lead to {name}")


def test_theme_that_was_chosen_is_kept(page: Page) -> None:
    page.goto("/")
    before = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Change between light and dark").click()
    after = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert after != before
    page.goto("/alerts")
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == after


@pytest.mark.parametrize("path", ["/map", "/containers", "/images"])
def test_script_in_a_label_is_text(page: Page, path: str) -> None:
    page.goto(path)
    if path == "/map":
        wait_for_pictures(page)
        labels = page.evaluate("() => document.querySelector('.map').graph.nodes().map(node => node.data('label'))")
        assert f"ads/{SCRIPT}" in labels
    assert page.locator("script:not([src]), img[src=x]").count() == 0


def test_label_is_shown_as_it_is(page: Page) -> None:
    first(page, "/containers", "banner")
    expect(page.locator("dd").filter(has_text=SCRIPT).first).to_be_visible()
    assert page.locator("script:not([src]), img[src=x]").count() == 0
