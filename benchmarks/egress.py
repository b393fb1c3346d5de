"""What egress enforcement costs a container, with 10 000 entries in its list, and what it costs the agent.

The same container, with and without enforcement, in alternating rounds of one run. The agent's share is its processor
time while a container opens flows as fast as it can, scaled to 50 000 a second: flows that the kernel adds up against
flows that are each new, of which user space hears one by one.
"""

import os
import resource
import select
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Final, Self

from benchmarks.row import Row
from pratique.model import KernelPolicy, Protocol
from pratique.sensor import Sensor
from testbed.cell import FRIEND4, IDS, PORT, Cell, policy

_ROUNDS: Final = 9
_ENTRIES: Final = 10_000
_WORK: Final = {"connect": 3000, "sendto": 40_000, "ask": 200_000}
_NAMES: Final = {
    "connect": "TCP connect() and close(), 10k entries",
    "sendto": "UDP sendto(), 10k entries",
    "ask": "UDP connect(), the hook alone, 10k entries",
}
_TARGET_RATE: Final = 50_000
_NEW_FLOWS: Final = 50_000
_KNOWN_FLOWS: Final = 1_000_000
_FLOWS_EVERY_S: Final = 2.0


def run() -> list[Row]:
    """Return the medians."""
    with Cell(f"bench{os.getpid()}") as cell, tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "egress"
        subprocess.run(["gcc", "-O2", "-o", program, Path(__file__).with_suffix(".c")], check=True)
        cell.cgroup(IDS[0])
        server = cell.outside.start([str(program), "serve", FRIEND4, str(PORT)], stdout=subprocess.PIPE)
        sink = cell.receiver(FRIEND4)
        try:
            assert server.stdout is not None
            server.stdout.readline()
            return [*_costs(cell, program), _policy_swap(cell), _agent(cell, program)]
        finally:
            sink.close()
            server.kill()
            server.communicate()


def _costs(cell: Cell, program: Path) -> list[Row]:
    spent: dict[tuple[str, bool], list[float]] = {(work, on): [] for work in _WORK for on in (False, True)}
    for number in range(_ROUNDS + 1):
        for enforced in (False, True):
            sensor = _sensor(cell) if enforced else None
            for work, times in _WORK.items():
                taken = _measure(cell, program, work, times)
                if number:  # the first round warms up
                    spent[work, enforced].append(taken / 1e3)
            if sensor is not None:
                sensor.close(keep=False)
    return [
        Row(_NAMES[work], statistics.median(spent[work, False]), statistics.median(spent[work, True]), "µs")
        for work in _WORK
    ]


def _policy_swap(cell: Cell) -> Row:
    """Return how long a swap of the whole policy takes with 10 000 entries, against one with none."""
    sensor = _sensor(cell)
    times: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(_ROUNDS):
        for full in (False, True):
            policies = [policy(0), _list() if full else policy(1)]
            begin = time.perf_counter()
            sensor.apply(policies, {IDS[0]: 1})
            times[full].append((time.perf_counter() - begin) * 1e3)
    sensor.close(keep=False)
    return Row(
        "swap of the policy, 10k entries in and the last one's out, against an empty one",
        statistics.median(times[False]),
        statistics.median(times[True]),
        "ms",
    )


def _agent(cell: Cell, program: Path) -> Row:
    shares: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(3):
        for each_new in (False, True):
            sensor = _sensor(cell)
            flows, spread = (_NEW_FLOWS, _NEW_FLOWS) if each_new else (_KNOWN_FLOWS, 100)
            with _Reader(sensor) as reader:
                _measure(cell, program, "ask", flows, 1024, spread)
                time.sleep(_FLOWS_EVERY_S)
            shares[each_new].append(100 * reader.cpu_s / flows * _TARGET_RATE)
            sensor.close(keep=False)
    return Row(
        "agent, 50k flows a second: each new, against added up in the kernel",
        statistics.median(shares[True]),
        statistics.median(shares[False]),
        "% of a core",
    )


class _Reader:
    """Reads a sensor in a thread, as the agent does, and takes its processor time."""

    def __init__(self, sensor: Sensor) -> None:
        self.cpu_s = 0.0
        self._sensor = sensor
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        before = resource.getrusage(resource.RUSAGE_THREAD)
        flows_at = time.monotonic()
        while not self._done.is_set():
            select.select(self._sensor.filenos(), [], [], 0.1)
            if self._sensor.read(2000):
                self._sensor.acknowledge()
            if time.monotonic() - flows_at >= _FLOWS_EVERY_S:
                self._sensor.flows()
                flows_at = time.monotonic()
        after = resource.getrusage(resource.RUSAGE_THREAD)
        self.cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _list() -> KernelPolicy:
    others = ((f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}/32", Protocol.TCP, 443) for n in range(_ENTRIES - 1))
    return policy(1, *others, (f"{FRIEND4}/32", None, 0))


def _sensor(cell: Cell) -> Sensor:
    return cell.sensor([policy(0), _list()], {IDS[0]: 1})


def _measure(cell: Cell, program: Path, work: str, times: int, port: int = PORT, spread: int = 1) -> float:
    """Return nanoseconds for each."""
    enter = 'echo $$ >"$0/cgroup.procs" && exec nsenter --net="$@"'
    command = ["sh", "-c", enter, cell.parent / IDS[0], cell.inside.net, program, work, FRIEND4, port, times, spread]
    done = subprocess.run([str(word) for word in command], capture_output=True, check=True, text=True)
    return float(done.stdout)
