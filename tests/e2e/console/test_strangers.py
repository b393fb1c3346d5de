"""Who does not belong here: a wrong token, a form of another site, a flood."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from testbed import images
from testbed.console import URL
from testbed.market import PAYMENT
from testbed.servers import TCP_PORTS
from testbed.world import ATTACKER
from tests.e2e.console.live import PATIENCE_MS, Live, reaches, watched

EVIL_PORT = 9666
FLOOD_PER_S, FLOOD_S = 10_000, 5
FORGED = """<!doctype html><title>evil</title>
<form id="form" method="post" action="{url}/containers/{container}/quarantine">
  <input name="reason" value="forged"><input name="csrf" value="guessed">
</form>
<iframe src="{url}/containers/{container}"></iframe>"""


def test_wrong_token_lets_nobody_in(live: Live) -> None:
    with live.console.stranger() as context:
        page = context.new_page()
        page.goto("/login")
        page.get_by_label("Token").fill("x" * 43)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("token")
        assert context.cookies() == []
        page.goto("/alerts")
        assert page.url == f"{URL}/login"


def test_link_signs_in_once(live: Live) -> None:
    link = live.console.link()
    with watched(live.console.stranger()) as page:
        page.goto(link)
        expect(page.locator("h1")).to_have_text("Overview")
        assert "#" not in page.url
    with live.console.stranger() as context:
        page = context.new_page()
        page.goto(link)
        expect(page.get_by_role("alert")).to_contain_text("token")


def test_cookie_cannot_be_read_by_a_script(page: Page) -> None:
    page.goto("/")
    assert page.evaluate("() => document.cookie") == ""


def test_request_without_the_csrf_token_changes_nothing(live: Live) -> None:
    path = f"/containers/{live.market.nightly.id}/quarantine"
    with live.console.context() as context:
        page = context.new_page()
        page.goto("/")
        for body in ("", "csrf=guessed"):
            status = page.evaluate(
                "async ([path, text]) => {"
                "  const body = new URLSearchParams(text);"
                "  return (await fetch(path, { method: 'POST', body })).status }",
                [path, body],
            )
            assert status == 403
    assert reaches(live.market.nightly, PAYMENT)


@pytest.fixture
def evil(live: Live, tmp_path: Path) -> Iterator[str]:
    """Serve a page of somebody else on the same host, so that a cookie for the same site is sent along."""
    forged = FORGED.format(url=URL, container=live.market.nightly.id)
    (tmp_path / "index.html").write_text(forged)
    host = live.market.stage.engine.network
    server = host.start(["busybox", "httpd", "-f", "-p", f"127.0.0.1:{EVIL_PORT}", "-h", str(tmp_path)])
    yield f"http://127.0.0.1:{EVIL_PORT}/"
    server.kill()
    server.wait()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_other_site_can_neither_act_nor_read_nor_frame(live: Live, evil: str, name: str) -> None:
    address = evil.replace("127.0.0.1", name)
    path = f"{URL}/containers/{live.market.nightly.id}"
    with live.console.context() as context:
        page = context.new_page()
        page.goto(address)
        read = "url => fetch(url, { credentials: 'include' }).then(answer => answer.text(), error => 'refused')"
        assert page.evaluate(read, path) == "refused"
        write = (
            "url => fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include',"
            " body: new URLSearchParams({ reason: 'forged' }) }).then(() => 'sent', () => 'refused')"
        )
        page.evaluate(write, f"{path}/quarantine")
        framed = next(frame for frame in page.frames if frame != page.main_frame)
        assert framed.url.startswith("chrome-error:")
        with page.expect_navigation() as navigation:
            page.evaluate("() => document.getElementById('form').submit()")
        assert navigation.value.status in {401, 403}, "without the cookie nobody is known"
    assert reaches(live.market.nightly, PAYMENT)
    with watched(live.console.context()) as page:
        page.goto(path)
        expect(page.locator(".head .badge.quarantined")).to_have_count(0)


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/static/x/../../../etc/passwd", "/static/x/%2e%2e/assets.py"])
def test_path_leads_nowhere_else(live: Live, path: str) -> None:
    # a browser would shorten the path itself, so it is sent as it is
    request = f"GET {path} HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nConnection: close\\r\\n\\r\\n"
    script = f"exec 3<>/dev/tcp/127.0.0.1/8470; printf '{request.replace('%', '%%')}' >&3; cat <&3"
    answer = live.market.stage.engine.network.run("bash", "-c", script)
    assert re.match(r"HTTP/1\.1 (303|400|403|404) ", answer), answer[:200]
    assert "root:" not in answer
    assert "import" not in answer


def test_flood_is_survived_and_protection_goes_on(live: Live, page: Page, tmp_path: Path) -> None:
    program = tmp_path / "flood"
    program.write_bytes(images.program("flood"))
    program.chmod(0o755)
    host = live.market.stage.engine.network
    page.goto("/alerts")
    for target in ("/login", "/api/v1/alerts"):
        command = host.command([str(program), "8470", str(FLOOD_PER_S), str(FLOOD_S), target])
        with subprocess.Popen(command, stdout=subprocess.PIPE) as flood:
            assert not reaches(live.market.banner, (ATTACKER, TCP_PORTS[0]))
            assert reaches(live.market.nightly, PAYMENT)
            said, _ = flood.communicate(timeout=60)
        counts = json.loads(said)
        assert counts["sent"] >= FLOOD_PER_S * FLOOD_S * 0.5, counts
        assert counts["failed"] == 0, counts
        assert counts["refused"] > counts["ok"], counts
    assert live.protection.alive
    page.goto("/alerts")
    expect(page.locator("h1")).to_have_text("Alerts", timeout=PATIENCE_MS)
    expect(page.locator(".beat")).to_have_text("Live", timeout=PATIENCE_MS)
