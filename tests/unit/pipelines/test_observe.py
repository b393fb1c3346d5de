import asyncio
from pathlib import Path
from typing import cast

from pratique.detections import Detector, Subject
from pratique.model import Direction, FlowVerdict, Protocol
from pratique.pipelines.loading import Loading
from pratique.pipelines.observe import Observer
from pratique.pipelines.recorder import Recorder
from pratique.pipelines.subjects import Subjects
from pratique.sensor import FlowCounter, Sensor
from pratique.store import Store
from tests.unit.pipelines.listener import Listener


def counter(packets: int, *, first_seen: float = 100.0) -> FlowCounter:
    return FlowCounter(
        cgroup=7,
        policy=1,
        direction=Direction.EGRESS,
        protocol=Protocol.TCP,
        address="10.0.0.1",
        port=6379,
        verdict=FlowVerdict.ALLOWED,
        packets=packets,
        bytes=packets * 100,
        first_seen=first_seen,
        last_seen=first_seen + packets,
        command="checkout",
    )


class Kernel:
    """Counters in the test's hand, in place of a sensor's; one container, in place of an engine's."""

    def __init__(self) -> None:
        self.counters: list[FlowCounter] = []

    def flows(self, since: float = 0.0) -> list[FlowCounter]:
        del since
        return self.counters

    def container_of(self, cgroup: int) -> str:
        return f"{cgroup:064x}"

    async def of(self, name: str | None) -> Subject:
        return Subject(container=name or "", image="sha256:" + "a" * 64)


def count(kernel: Kernel, path: Path, *rounds: list[FlowCounter]) -> None:
    """Let one agent live for some rounds of counting."""

    async def live() -> None:
        with Store.open(path) as store:
            async with Recorder.opened(store, Listener()) as recorder:
                observer = Observer(
                    cast(Sensor, kernel),
                    cast(Subjects, kernel),
                    Detector(),
                    recorder,
                    Loading(store, recorder),
                    lambda since: [record.flow for record in store.flows(since=since)],
                )
                for counters in rounds:
                    kernel.counters = counters
                    await observer.count_flows()

    asyncio.run(live())


def recorded(path: Path) -> tuple[int, int]:
    with Store.open(path, read_only=True) as store:
        return sum(r.flow.packets for r in store.flows()), sum(r.flow.bytes for r in store.flows())


def test_what_the_kernel_counted_is_recorded_once(tmp_path: Path) -> None:
    count(Kernel(), tmp_path / "s.db", [counter(3)], [counter(3)], [counter(10)])
    assert recorded(tmp_path / "s.db") == (10, 1000)


def test_a_restarted_agent_goes_on_counting_where_the_old_one_stopped(tmp_path: Path) -> None:
    kernel = Kernel()
    count(kernel, tmp_path / "s.db", [counter(10)])
    count(kernel, tmp_path / "s.db", [counter(12)], [counter(15)])
    assert recorded(tmp_path / "s.db") == (15, 1500)


def test_a_flow_that_the_kernel_forgot_and_saw_again_adds_up(tmp_path: Path) -> None:
    kernel = Kernel()
    count(kernel, tmp_path / "s.db", [counter(10)], [counter(4, first_seen=200.0)])
    assert recorded(tmp_path / "s.db") == (14, 1400)
    count(kernel, tmp_path / "s.db", [counter(6, first_seen=300.0)])
    assert recorded(tmp_path / "s.db") == (20, 2000)
