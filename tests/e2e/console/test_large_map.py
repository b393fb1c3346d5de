"""A map of 300 services and 900 edges stays fluid; what strangers named is text. A store made by hand, no engine."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page, Playwright, expect

from pratique.model import Container, Direction, Flow, FlowVerdict, ImageId, ImageIdentity, Protocol
from pratique.store import Store
from testbed.browser import open_browser
from testbed.console import ADDRESS, URL
from testbed.namespace import Namespace
from tests.e2e.console.live import wait_for_pictures, watched

SERVICES, EDGES = 300, 900
FLUID_MS = 50.0
ROUNDS = 12
NAME = "<script>alert(1)</script><img src=x onerror=alert(2)>"
RECORD = """() => {
  window.frames_ms = [];
  let before = performance.now();
  const note = (now) => {
    window.frames_ms.push(now - before);
    before = now;
    window.recording = requestAnimationFrame(note);
  };
  window.recording = requestAnimationFrame(note);
}"""
END = "() => { cancelAnimationFrame(window.recording); return window.frames_ms.slice(1) }"


def fill(folder: Path) -> None:
    """Write a store in which each service has one container and talks to a few others."""
    now, dice = time.time(), random.Random(7)
    image = ImageIdentity(ImageId("sha256:" + "a" * 64), references=(f"{NAME}:1",))
    with Store.open(folder / "pratique.db") as store:
        store.put_image(image, now)
        for number in range(SERVICES):
            container = Container(
                id=f"{number:064x}",
                name=f"service-{number}",
                image=image.id,
                running=True,
                addresses=(address(number),),
                labels={"com.docker.compose.project": f"team{number % 20}", "com.docker.compose.service": f"s{number}"},
            )
            store.put_container(container, "unlisted", True, now)
        pairs = {(dice.randrange(SERVICES), dice.randrange(SERVICES)) for _ in range(2 * EDGES)}
        ways = sorted(pair for pair in pairs if pair[0] != pair[1])[:EDGES]
        store.add_flows(
            [
                Flow(
                    container=f"{source:064x}",
                    image=image.id,
                    direction=Direction.EGRESS,
                    protocol=Protocol.TCP,
                    address=address(target),
                    port=8080,
                    verdict=FlowVerdict.DENIED if number % 30 == 0 else FlowVerdict.ALLOWED,
                    packets=3,
                    bytes=300,
                    first_seen=now - 60,
                    last_seen=now,
                )
                for number, (source, target) in enumerate(ways)
            ]
        )


def address(number: int) -> str:
    return f"10.1.{number // 250}.{number % 250 + 1}"


@pytest.fixture(scope="module")
def page(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page of a console that is served in a namespace of its own, signed in."""
    folder = tmp_path_factory.mktemp("large")
    fill(folder)
    host = Namespace("large-map")
    program = str(Path(sys.executable).with_name("pratique"))
    where = [f"PRATIQUE_STATE_DIR={folder}", f"PRATIQUE_RUN_DIR={folder}", f"PRATIQUE_CONSOLE={ADDRESS}"]
    console = host.start(["env", *where, program, "console", "serve"], stdout=subprocess.PIPE)
    try:
        assert console.stdout is not None
        with console.stdout as said:
            link = said.readline().decode().strip()
        with open_browser(playwright, host, folder) as browser:
            context = browser.new_context(base_url=URL, viewport={"width": 1280, "height": 800})
            with watched(context) as page:
                arrive(page, link)
                yield page
    finally:
        console.terminate()
        console.wait()
        host.close()


def arrive(page: Page, link: str) -> None:
    """Sign in as soon as the console is served."""
    deadline = time.monotonic() + 30
    while True:
        try:
            page.goto(link)
            break
        except Error:  # the port is not open yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    expect(page.locator("h1")).to_have_text("Overview")


def test_map_of_300_services_is_fluid(page: Page) -> None:
    page.goto("/map")
    wait_for_pictures(page)
    counts = page.evaluate(
        "() => { const g = document.querySelector('.map').graph; return [g.nodes().length, g.edges().length] }"
    )
    assert counts == [SERVICES, EDGES]
    box = page.locator(".map").bounding_box()
    assert box is not None
    rounds: list[float] = []
    while len(rounds) < ROUNDS and min(rounds, default=FLUID_MS + 1) > FLUID_MS:
        frames = sorted(pan(page, box["x"] + 300, box["y"] + 200) + zoom(page))
        rounds.append(frames[int(len(frames) * 0.95)])  # what else runs on this machine takes frames as well
    assert min(rounds) <= FLUID_MS, rounds


def pan(page: Page, x: float, y: float) -> list[float]:
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 5, y + 5)
    page.evaluate(RECORD)
    for step in range(40):
        page.mouse.move(x + step * 4, y + step * 3 % 90)
    frames: list[float] = page.evaluate(END)
    page.mouse.up()
    return frames


def zoom(page: Page) -> list[float]:
    page.evaluate(RECORD)
    for step in range(24):
        page.mouse.wheel(0, -60 if step < 12 else 60)
        page.evaluate("() => new Promise(requestAnimationFrame)")
    frames: list[float] = page.evaluate(END)
    return frames


def test_script_in_an_image_name_is_text(page: Page) -> None:
    page.goto("/images")
    expect(page.get_by_role("link", name=NAME)).to_be_visible()
    page.get_by_role("link", name=NAME).click()
    expect(page.locator("h1")).to_contain_text(NAME)
    assert page.locator("script:not([src]), img[src=x]").count() == 0
