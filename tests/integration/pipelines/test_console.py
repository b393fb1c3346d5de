"""The console's process beside an agent: where it comes from, and what is told when there is none."""

import asyncio
import http.client
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pratique.model import Alert, Decision, Report
from pratique.pipelines.account import Status
from pratique.pipelines.console import ConsoleSettings, console_beside
from pratique.store import Store


class Said:
    """An account that waits for what is told first."""

    def __init__(self) -> None:
        self.first: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def say(self, text: str) -> None:
        self.warn(text)

    def warn(self, text: str, hint: str = "") -> None:
        del hint
        if not self.first.done():
            self.first.set_result(text)

    def scanned(self, report: Report, fault: str) -> None: ...
    def decided(self, decision: Decision) -> None: ...
    def alerted(self, alert: Alert) -> None: ...
    def status(self, status: Status) -> None: ...


@pytest.fixture
def site(tmp_path: Path) -> tuple[str, dict[str, str]]:
    """Return the address of a console and the environment of its process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    return address, {**os.environ, "PRATIQUE_STATE_DIR": str(tmp_path), "PRATIQUE_CONSOLE": address}


def _told_first(folder: Path, site: tuple[str, dict[str, str]]) -> str:
    address, environment = site

    async def story() -> str:
        said = Said()
        with Store.open(folder / "pratique.db") as store:
            async with console_beside(ConsoleSettings(f"http://{address}", True, environment, True), store, said):
                async with asyncio.timeout(60):
                    return await said.first

    return asyncio.run(story())


def test_nothing_is_imported_from_the_directory_that_the_agent_is_started_in(
    tmp_path: Path, site: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody_s = tmp_path / "somebody's"
    somebody_s.mkdir()
    (somebody_s / "pratique.py").write_text("raise SystemExit('pratique: this ran as root')")
    monkeypatch.chdir(somebody_s)
    assert _told_first(tmp_path, site).startswith("console: http://127.0.0.1:")


def test_a_process_that_cannot_be_started_is_told_and_tried_again(
    tmp_path: Path, site: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    assert _told_first(tmp_path, site) == "the console ended: No such file or directory; it starts again in 2 s"


def _connected(address: str) -> http.client.HTTPConnection:
    """Return a connection, as soon as the console listens."""
    deadline = time.monotonic() + 30
    while True:
        connection = http.client.HTTPConnection(address)
        try:
            connection.connect()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return connection


@pytest.mark.parametrize("told", ["the parent is gone", "terminate"])
def test_a_page_that_is_open_and_takes_nothing_does_not_keep_the_console(
    tmp_path: Path, site: tuple[str, dict[str, str]], told: str
) -> None:
    address, environment = site
    with Store.open(tmp_path / "pratique.db") as store:
        ticket = store.tokens.create_ticket("viewer", time.time(), time.time() + 60)
    command = [sys.executable, "-P", "-m", "pratique", "console", "serve", "--with-parent"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"serving\n"
        login = _connected(address)
        login.request("POST", "/login", f"token={ticket}", {"Origin": f"http://{address}"})
        cookie = login.getresponse().headers["Set-Cookie"].partition(";")[0]
        page = http.client.HTTPConnection(address)
        page.request("GET", "/events", headers={"Cookie": cookie})
        assert page.getresponse().status == 200
        if told == "terminate":
            process.terminate()
        else:
            process.stdin.close()
        assert process.wait(30) == 0
        page.close()
        login.close()
