import asyncio
from collections.abc import Iterable
from pathlib import Path

from pratique.errors import StoreError
from pratique.model import Action, Alert, Decision, Severity, Verdict
from pratique.pipelines.recorder import Recorder
from pratique.store import Store
from tests.unit.pipelines.listener import Listener


def decision(number: int) -> Decision:
    return Decision(at=float(number), verdict=Verdict.DENY, rule="build.denied", subject=f"build {number}")


def test_what_was_recorded_is_on_disk_and_in_order_when_the_recorder_ends(tmp_path: Path) -> None:
    async def record() -> None:
        with Store.open(tmp_path / "s.db") as store:
            async with Recorder.opened(store, Listener()) as recorder:
                for number in range(500):
                    recorder.decision(decision(number))

    asyncio.run(record())
    with Store.open(tmp_path / "s.db", read_only=True) as store:
        assert [record.decision.subject for record in store.decisions()] == [f"build {n}" for n in range(500)]
        check = store.verify_decisions()
        assert (check.count, check.reason) == (500, "")


def test_durable_returns_only_when_another_process_could_read_it(tmp_path: Path) -> None:
    async def record() -> None:
        with Store.open(tmp_path / "s.db") as store:
            async with Recorder.opened(store, Listener()) as recorder:
                recorder.decision(decision(1))
                await recorder.durable()
                with Store.open(tmp_path / "s.db", read_only=True) as other:
                    assert len(other.decisions()) == 1

    asyncio.run(record())


class FullDisk(Store):
    """A store that cannot be written a few times: a full disk that somebody empties again."""

    failures = 2

    def append_decisions(self, decisions: Iterable[Decision]) -> None:
        if self.failures:
            self.failures -= 1
            msg = "the disk is full"
            raise StoreError(msg, hint="make room")
        super().append_decisions(decisions)


def test_a_full_disk_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    listener = Listener()

    async def record() -> None:
        with FullDisk.open(tmp_path / "s.db") as store:
            async with Recorder.opened(store, listener) as recorder:
                recorder.decision(decision(1))
                recorder.decision(decision(2))
                await recorder.durable()

    asyncio.run(record())
    with Store.open(tmp_path / "s.db", read_only=True) as store:
        assert len(store.decisions()) == 2
    assert listener.warned == ["the disk is full; trying again make room"] * 2


def test_a_repeated_alert_is_told_once_a_minute_and_counted_each_time(tmp_path: Path) -> None:
    listener = Listener()

    async def record() -> None:
        with Store.open(tmp_path / "s.db") as store:
            async with Recorder.opened(store, listener) as recorder:
                for at in (0.0, 1.0, 59.0, 61.0):
                    recorder.alert(alert(at))

    def alert(at: float) -> Alert:
        return Alert(at, "net.egress", Severity.HIGH, "no", Action.DENIED, key="net.egress|c|tcp 10.0.0.1 1")

    asyncio.run(record())
    assert [alert.at for alert in listener.alerts] == [0.0, 61.0]
    with Store.open(tmp_path / "s.db", read_only=True) as store:
        assert sum(record.count for record in store.alerts()) == 4
