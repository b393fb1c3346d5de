"""What judging executions and seeing opens cost, in a watched container and outside of any.

Without and with the sensor, alternating. The sensor is read all the while, as the agent does. Each execution has
arguments of its own, so that none is taken for a repetition; what exceeds a container's budget of events is counted
only.
"""

import select
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from docker.models.containers import Container

from benchmarks.row import Row
from pratique.model import DriftMode, EgressMode, KernelPolicy
from pratique.sensor import Parent, ParentKind, Sensor
from pratique.sensor.opened import Opened
from pratique.sensor.packet import PacketSocket
from pratique.sensor.process import Process
from testbed import images
from testbed.engine import ThrowAwayEngine

_ROUNDS: Final = 9
_WORK: Final = {"spawn": 600, "map": 20_000, "open": 50_000, "call": 300_000}
_NAMES: Final = {
    "spawn": "posix_spawn and end of a static program",
    "map": "mmap(PROT_EXEC)",
    "open": "open() and close() of a file of the image",
    "call": "getppid()",
}
_PLACES: Final = {True: "in a container", False: "outside of containers"}
_IMAGE: Final = "bench/process:1"


def run() -> list[Row]:
    """Return the medians, in microseconds."""
    spent: dict[tuple[str, bool, bool], list[float]] = {}
    with ThrowAwayEngine() as engine, tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "process"
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["gcc", "-O2", "-static", "-s", "-o", program, source], check=True)
        client = engine.client()
        images.derived(_IMAGE, {"process": program.read_bytes()}, Cmd=["/bin/sleep", "10000"]).load(client)
        container = client.containers.run(_IMAGE, detach=True)
        _measure(container, program, {}, watched=False)
        for _ in range(_ROUNDS):
            _measure(container, program, spent, watched=False)
            with _sensor(engine):
                _measure(container, program, spent, watched=True)
        client.close()
    return [
        Row(
            f"{_NAMES[work]}, {_PLACES[inside]}",
            statistics.median(spent[work, inside, False]),
            statistics.median(spent[work, inside, True]),
            "µs",
        )
        for work in _WORK
        for inside in (True, False)
    ]


def _measure(
    container: Container, program: Path, spent: dict[tuple[str, bool, bool], list[float]], *, watched: bool
) -> None:
    for work, times in _WORK.items():
        inside = container.exec_run(["/process", work, str(times)]).output
        assert isinstance(inside, bytes)
        outside = subprocess.run([program, work, str(times)], capture_output=True, check=True).stdout
        for is_inside, output in ((True, inside), (False, outside)):
            spent.setdefault((work, is_inside, watched), []).append(float(output) / 1e3)


@contextmanager
def _sensor(engine: ThrowAwayEngine) -> Iterator[None]:
    parent = Parent(path=Path(f"/sys/fs/cgroup/unified{engine.cgroup_parent}"), kind=ParentKind.ALL)
    policy = KernelPolicy(id=0, egress=EgressMode.ENFORCE, drift=DriftMode.KILL)
    sensor = Sensor.open([parent], engine.pin_dir, [policy], {}, features=(Process, PacketSocket, Opened))
    done = threading.Event()
    reader = threading.Thread(target=_read, args=(sensor, done))
    reader.start()
    try:
        yield
    finally:
        done.set()
        reader.join()
        sensor.close(keep=False)


def _read(sensor: Sensor, done: threading.Event) -> None:
    while not done.is_set():
        select.select(sensor.filenos(), [], [], 0.1)
        if sensor.read(4096):
            sensor.acknowledge()
