"""The agent's telling: counted, served, and read anew when its document changes; no mistake of it gets further."""

import asyncio
import re
import socket
import urllib.request
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from pratique.errors import UsageError
from pratique.pipelines.account import Status
from pratique.pipelines.recorder import Recorder
from pratique.pipelines.telling import TellingSettings, Told, telling, telling_settings
from pratique.store import Store
from tests.integration.exporters.receivers import Hook
from tests.unit.pipelines.listener import Listener
from tests.unit.store.values import alert, decision, report

PATIENCE_S = 60.0


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not fact():  # noqa: ASYNC110  # facts of other processes set no event
            await asyncio.sleep(0.02)


def tell(
    path: Path, settings: TellingSettings, body: Callable[[Told, Store, Listener], Coroutine[Any, Any, None]]
) -> Listener:
    listener = Listener()

    async def run() -> None:
        with Store.open(path / "pratique.db") as store:
            async with telling(settings, store, listener) as told:
                await body(told, store, listener)

    asyncio.run(run())
    return listener


def test_floods_are_counted_whole(tmp_path: Path) -> None:
    text = b""

    async def body(told: Told, store: Store, listener: Listener) -> None:
        nonlocal text
        async with Recorder.opened(store, told.account, told.count) as recorder:
            for number in range(500):
                recorder.alert(alert())
                recorder.decision(decision(number))
        told.account.scanned(report(), "malware")
        told.account.status(Status(containers=3, lost=2))
        await until(lambda: any(said.startswith("metrics: http://") for said in listener.said))
        url = next(said for said in listener.said if said.startswith("metrics: ")).removeprefix("metrics: ")
        text = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read())

    listener = tell(tmp_path, TellingSettings(tmp_path / "none", ("127.0.0.1", 0)), body)
    told = text.decode()
    assert 'pratique_alerts_total{action="denied",rule="net.egress",severity="high"} 500.0' in told
    assert 'pratique_decisions_total{rule="build.denied",verdict="deny"} 500.0' in told
    assert 'pratique_scans_total{result="refused"} 1.0' in told
    assert re.search(r"pratique_events_lost_total 2.0", told)
    assert len(listener.alerts) < 500


def test_document_is_taken_up_when_it_changes(tmp_path: Path) -> None:
    document = tmp_path / "notify.yaml"

    async def body(told: Told, store: Store, listener: Listener) -> None:
        del told
        with Hook() as hook:
            document.touch(mode=0o600)
            document.write_text("targets: [{name: ops}]")
            await until(lambda: any("who was told is told on" in warning for warning in listener.warned))
            document.write_text(f'targets: [{{name: ops, url: "{hook.url}"}}]')
            await until(lambda: store.outbox.told("ops") is not None)
            store.add_alerts([alert()])
            await until(lambda: hook.messages)
            assert not any("chmod" in warning for warning in listener.warned)
            document.chmod(0o644)
            document.write_text(document.read_text() + "\n")
            await until(lambda: any("chmod 600" in warning for warning in listener.warned))
            document.unlink()

    listener = tell(tmp_path, TellingSettings(document), body)
    assert "telling of alerts: ops" in listener.said
    assert "pass-word" not in str((listener.said, listener.warned))


def test_port_that_is_taken_is_told_and_nothing_else_happens(tmp_path: Path) -> None:
    async def body(_told: Told, _store: Store, listener: Listener) -> None:
        await until(lambda: listener.warned)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        listener = tell(tmp_path, TellingSettings(tmp_path / "none", taken.getsockname()), body)
    assert "metrics cannot be served" in listener.warned[0]


def test_mistake_in_telling_does_not_end_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = tmp_path / "notify.yaml"
    document.touch(mode=0o600)
    document.write_text('targets: [{name: ops, url: "json://user:pass-word@127.0.0.1/x"}]')

    async def mistake(_self: object) -> bool:
        msg = "pass-word"
        raise ValueError(msg)

    monkeypatch.setattr("pratique.exporters.notifier.Notifier._tell", mistake)

    async def body(_told: Told, _store: Store, listener: Listener) -> None:
        await until(lambda: listener.warned)

    listener = tell(tmp_path, TellingSettings(document), body)
    assert listener.warned == ["telling ops failed: ValueError; trying again"]


def test_metrics_are_off_unless_asked_for() -> None:
    assert telling_settings("/x", "off").metrics is None
    assert telling_settings("/x", "[::1]:9470").metrics == ("::1", 9470)
    with pytest.raises(UsageError, match="is not an address and port"):
        telling_settings("/x", "everywhere")
