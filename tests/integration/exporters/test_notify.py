"""Alerts in the store reach real receivers: once, in order, after outages and after a kill; no secret is told."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratique.errors import NetworkError
from pratique.exporters import Message, Notifier, Target, deliver
from pratique.model import Alert, Severity
from pratique.store import Store
from tests.integration.exporters.receivers import Hook, Mail, udp_syslog, unix_syslog
from tests.unit.store.values import alert

PATIENCE_S = 60.0


def some(number: int, title: str = "a miner was killed") -> Alert:
    return replace(alert(f"key {number}", at=time.time()), title=title, image_name="evil/miner:1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "pratique.db") as store:
        yield store


class Watched:
    """A notifier that runs, and what it warned of."""

    def __init__(self, store: Store, target: Target) -> None:
        self.warnings: list[str] = []
        self.attempts: list[bool] = []
        self.target = target
        self._notifier = Notifier(
            target,
            store.outbox,
            warn=lambda text, hint: self.warnings.append(f"{text} {hint}"),
            done=lambda _, sent: self.attempts.append(sent),
            look_every_s=0.05,
            first_pause_s=0.05,
        )

    def until(self, fact: Callable[[], object], also: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """Run until a fact holds."""

        async def run() -> None:
            running = asyncio.ensure_future(self._notifier.run())
            try:
                async with asyncio.timeout(PATIENCE_S):
                    if also is not None:
                        await also()
                    while not fact():
                        assert not running.done(), running.exception()
                        await asyncio.sleep(0.02)
            finally:
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running

        asyncio.run(run())

    def begin(self, store: Store) -> None:
        """Run until the store knows the target: it is told of what comes from now on."""
        self.until(lambda: store.outbox.told(self.target.name) is not None)


def test_web_hook_is_told_what_came_after_it_was_added(store: Store) -> None:
    with Hook() as hook:
        watched = Watched(store, Target("ops", hook.url))
        store.add_alerts([some(1, "before it was added")])
        watched.begin(store)
        store.add_alerts([some(2), some(3)])
        watched.until(lambda: watched.attempts)
        (message,) = hook.messages
    assert message["title"].endswith("2 alerts, the worst high: a miner was killed")
    assert "evil/miner:1" in message["message"]
    assert "before" not in message["message"]
    assert watched.attempts == [True]
    assert watched.warnings == []


def test_storm_is_one_message_with_its_number(store: Store) -> None:
    with Hook() as hook:
        watched = Watched(store, Target("ops", hook.url))
        watched.begin(store)
        now = time.time()
        store.add_alerts(replace(alert(f"key {n}", at=now), title=f"storm {n % 30}") for n in range(100_000))
        watched.until(lambda: watched.attempts)
        assert len(hook.messages) == 1
        assert "100000 alerts" in hook.messages[0]["title"]
        assert len(hook.messages[0]["message"]) < 10_000
        assert store.outbox.told("ops") == store.outbox.newest()


def test_what_a_target_does_not_want_is_passed_over(store: Store) -> None:
    with Hook() as hook:
        watched = Watched(store, Target("ops", hook.url, at_least=Severity.CRITICAL, rules=("drift.*",)))
        watched.begin(store)
        store.add_alerts([some(1), replace(some(2), severity=Severity.CRITICAL)])
        watched.until(lambda: store.outbox.told("ops") == store.outbox.newest())
        assert hook.asked == 0


def test_outage_is_told_once_and_everything_arrives_after_it(store: Store) -> None:
    with Hook() as hook:
        hook.refuse = True
        watched = Watched(store, Target("ops", hook.url))
        watched.begin(store)
        store.add_alerts([some(1, "during the outage")])
        watched.until(lambda: watched.attempts.count(False) >= 2)
        assert len(watched.warnings) == 1
        assert "ops (json://…) did not take a message" in watched.warnings[0]
        assert "'pratique notify test ops'" in watched.warnings[0]
        assert not {"pass-word", "token-1234"} & set(watched.warnings[0].replace("/", " ").split())
        store.add_alerts([some(2, "later")])
        hook.refuse = False
        watched.until(lambda: hook.messages)
        assert "during the outage" in hook.messages[0]["message"]
        assert "later" in hook.messages[0]["message"]


def test_receiver_that_never_answers_is_given_up(store: Store) -> None:
    del store
    with Hook() as hook:
        hook.silent.set()
        started = time.monotonic()
        with pytest.raises(NetworkError, match="did not take a message within 2 s"):
            asyncio.run(deliver(Target("ops", hook.url), Message("t", "b"), deadline_s=2.0))
        assert time.monotonic() - started < PATIENCE_S


def test_url_that_apprise_does_not_know_is_told_without_it(store: Store) -> None:
    del store
    with pytest.raises(NetworkError) as error:
        asyncio.run(deliver(Target("ops", "nosuch://secret-token"), Message("t", "b")))
    assert error.value.what == "ops (nosuch://…) did not take a message: Apprise knows no such URL"


def test_mail_is_delivered(store: Store) -> None:
    del store
    with Mail() as mail:
        asyncio.run(deliver(Target("ops", mail.url), Message("Pratique on host", "line 1\nline 2", Severity.HIGH)))
        (message,) = mail.messages
    assert "Subject: Pratique on host" in message
    assert "line 2" in message


def test_local_syslog_is_told_line_by_line(store: Store, tmp_path: Path) -> None:
    with unix_syslog(tmp_path) as (url, receiver):
        watched = Watched(store, Target("log", url))
        watched.begin(store)
        store.add_alerts(some(number, f"alert {number}") for number in range(3))
        watched.until(lambda: watched.attempts)
        lines = [receiver.recv(9000).decode() for _ in range(3)]
    assert [line.rpartition("] ")[2] for line in lines] == ["alert 0", "alert 1", "alert 2"]
    assert all(line.startswith("<35>1 ") for line in lines)


def test_syslog_over_udp_is_told(store: Store) -> None:
    with udp_syslog() as (url, receiver):
        watched = Watched(store, Target("log", f"{url}?facility=local0"))
        watched.begin(store)
        store.add_alerts([some(1)])
        watched.until(lambda: watched.attempts)
        assert receiver.recv(9000).startswith(b"<131>1 ")


def test_syslog_over_tcp_is_told_with_counted_octets(store: Store) -> None:
    taken: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as stream:
                taken.append(stream.read())

        thread = threading.Thread(target=take)
        thread.start()
        watched = Watched(store, Target("log", f"syslog+tcp://127.0.0.1:{server.getsockname()[1]}"))
        watched.begin(store)
        store.add_alerts([some(1), some(2)])
        watched.until(lambda: watched.attempts)
        thread.join(PATIENCE_S)
    size, _, rest = taken[0].partition(b" ")
    first, second = rest[: int(size)], rest[int(size) :]
    assert first.startswith(b"<35>1 ")
    assert second.partition(b" ")[2].startswith(b"<35>1 ")


def test_syslog_that_is_not_there_is_tried_again(store: Store, tmp_path: Path) -> None:
    watched = Watched(store, Target("log", f"syslog+unix://{tmp_path}/log"))
    watched.begin(store)
    store.add_alerts([some(1)])
    watched.until(lambda: watched.attempts.count(False) >= 2)
    with unix_syslog(tmp_path) as (_, receiver):
        watched.until(lambda: True in watched.attempts)
        assert b"a miner was killed" in receiver.recv(9000)


_AGENT = """
import asyncio, sys
from pathlib import Path
from pratique.exporters import Notifier, Target
from pratique.store import Store
with Store.open(Path(sys.argv[1])) as store:
    target = Target("ops", sys.argv[2], every_s=1.0)
    asyncio.run(Notifier(target, store.outbox, warn=lambda *_: None, look_every_s=0.05).run())
"""


def test_kill_loses_no_alert(store: Store, tmp_path: Path) -> None:
    with Hook() as hook:
        Watched(store, Target("ops", hook.url)).begin(store)
        for round_ in range(4):
            store.add_alerts([some(round_, f"round {round_}")])
            before = hook.asked
            agent = subprocess.Popen([sys.executable, "-c", _AGENT, str(tmp_path / "pratique.db"), hook.url])
            deadline = time.monotonic() + PATIENCE_S
            while hook.asked == before and round_ % 2:  # every other one is killed before it told anything
                assert time.monotonic() < deadline
                time.sleep(0.01)
            os.kill(agent.pid, signal.SIGKILL)
            agent.wait()
        watched = Watched(store, Target("ops", hook.url))
        watched.until(lambda: store.outbox.told("ops") == store.outbox.newest())
        told = "\n".join(message["message"] for message in hook.messages)
    assert all(f"round {round_}" in told for round_ in range(4))
