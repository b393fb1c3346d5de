"""The blast radius as a person asks for it: the answer is the true one, as a picture and as tables."""

from playwright.sync_api import Page, expect

from testbed.fleet import BYSTANDER, CVE, NEEDS
from tests.e2e.console.live import PATIENCE_MS, Live, wait_for_pictures


def rows(page: Page, table: str) -> list[list[str]]:
    """Return the cells of a table, row by row."""
    found = page.get_by_role("region", name=table, exact=True).locator("tbody tr").all()
    return [[text.strip() for text in row.locator("th, td").all_inner_texts()] for row in found]


def test_planted_vulnerability_is_in_exactly_the_services_that_carry_it(live: Live, page: Page) -> None:
    truth = {f"fleet_{service}_1" for service in NEEDS}
    assert len(live.market.fleet.containers()) == len(truth) + 2, "and two bystanders"
    page.goto("/blast")
    page.get_by_role("textbox").fill(CVE)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("heading", name="Services, the most urgent first")).to_be_visible(timeout=PATIENCE_MS)

    assert {row[1] for row in rows(page, "Services")} == {f"fleet/{service}" for service in NEEDS}
    assert {row[1] for row in rows(page, "Containers")} == truth
    assert {row[0] for row in rows(page, "Images")} == {f"fleet/{service}:1" for service in NEEDS}
    reachable = {row[1]: row[3] for row in rows(page, "Services")}
    assert reachable["fleet/edge"] == "published"
    assert set(reachable.values()) == {"published", "through"}
    needed_by = {row[1]: row[6].split()[0] for row in rows(page, "Services")}
    assert needed_by["fleet/db"] == str(len(NEEDS) - 1)

    wait_for_pictures(page)
    drawn = page.evaluate("() => document.querySelector('.picture').graph.nodes().map(node => node.data('label'))")
    assert {f"fleet/{service}" for service in NEEDS} <= set(drawn)
    assert f"fleet/{BYSTANDER}" not in drawn


def test_question_without_an_answer_says_so(page: Page) -> None:
    page.goto("/blast?q=CVE-2000-0001")
    expect(page.get_by_text("No container carries it.")).to_be_visible()
