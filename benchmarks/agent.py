"""What flows cost the agent: its processor time while a container opens them, scaled to 50 000 a second.

Flows that the kernel adds up, against flows that are each new, of which user space hears one by one.
"""

import resource
import select
import statistics
import threading
import time
from pathlib import Path
from typing import Final, Self

from benchmarks.egress import enforce, measure, traffic
from benchmarks.row import Row
from pratique.sensor import Sensor
from testbed.cell import Cell

_ROUNDS: Final = 3
_TARGET_RATE: Final = 50_000
_NEW_FLOWS: Final = 50_000
_KNOWN_FLOWS: Final = 1_000_000
_FIRST_PORT: Final = 1024
_FLOWS_EVERY_S: Final = 2.0


def run() -> list[Row]:
    """Return the medians."""
    shares: dict[bool, list[float]] = {False: [], True: []}
    with traffic() as (cell, program):
        for _ in range(_ROUNDS):
            for each_new in (False, True):
                shares[each_new].append(_share(cell, program, each_new=each_new))
    return [
        Row(
            "agent, 50k flows a second: each new, against added up in the kernel",
            statistics.median(shares[True]),
            statistics.median(shares[False]),
            "% of a core",
        )
    ]


def _share(cell: Cell, program: Path, *, each_new: bool) -> float:
    """Return the reader's share of a processor at the target rate, in percent."""
    flows, ports = (_NEW_FLOWS, _NEW_FLOWS) if each_new else (_KNOWN_FLOWS, 100)
    sensor = enforce(cell)
    with _Reader(sensor) as reader:
        measure(cell, program, "sendto", flows, _FIRST_PORT, ports)
        time.sleep(_FLOWS_EVERY_S)
    sensor.close(keep=False)
    return 100 * reader.cpu_s / flows * _TARGET_RATE


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
