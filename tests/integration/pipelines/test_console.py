"""The console's process beside an agent: where it comes from, and what is told when there is none."""

import asyncio
import os
import socket
import sys
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


def _told_first(folder: Path) -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    environment = {**os.environ, "PRATIQUE_STATE_DIR": str(folder), "PRATIQUE_CONSOLE": address}

    async def story() -> str:
        said = Said()
        with Store.open(folder / "pratique.db") as store:
            async with console_beside(ConsoleSettings(f"http://{address}", True, environment, True), store, said):
                async with asyncio.timeout(60):
                    return await said.first

    return asyncio.run(story())


def test_nothing_is_imported_from_the_directory_that_the_agent_is_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody_s = tmp_path / "somebody's"
    somebody_s.mkdir()
    (somebody_s / "pratique.py").write_text("raise SystemExit('pratique: this ran as root')")
    monkeypatch.chdir(somebody_s)
    assert _told_first(tmp_path).startswith("console: http://127.0.0.1:")


def test_a_process_that_cannot_be_started_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    assert _told_first(tmp_path) == "the console ended: No such file or directory; it starts again in 2 s"
