"""What egress enforcement with 10 000 entries costs a container: with and without, in alternating rounds of one run."""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

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


def run() -> list[Row]:
    """Return the medians."""
    with traffic() as (cell, program):
        return [*_costs(cell, program), _policy_swap(cell)]


@contextmanager
def traffic() -> Iterator[tuple[Cell, Path]]:
    """Give a container, the program that makes traffic in it, and servers on the other side."""
    with Cell(f"bench{os.getpid()}") as cell, tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "egress"
        subprocess.run(["gcc", "-O2", "-o", program, Path(__file__).with_suffix(".c")], check=True)
        cell.cgroup(IDS[0])
        cell.receiver(FRIEND4)  # takes nothing, but keeps the other side from answering with ICMP
        server = cell.outside.start([str(program), "serve", FRIEND4, str(PORT)], stdout=subprocess.PIPE)
        try:
            assert server.stdout is not None
            server.stdout.readline()
            yield cell, program
        finally:
            server.kill()
            server.communicate()


def _costs(cell: Cell, program: Path) -> list[Row]:
    spent: dict[tuple[str, bool], list[float]] = {(work, on): [] for work in _WORK for on in (False, True)}
    for number in range(_ROUNDS + 1):
        for enforced in (False, True):
            sensor = enforce(cell) if enforced else None
            for work, times in _WORK.items():
                taken = measure(cell, program, work, times)
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
    sensor = enforce(cell)
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


def _list() -> KernelPolicy:
    others = ((f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}/32", Protocol.TCP, 443) for n in range(_ENTRIES - 1))
    return policy(1, *others, (f"{FRIEND4}/32", None, 0))


def enforce(cell: Cell) -> Sensor:
    """Enforce the list of 10 000 entries."""
    return cell.sensor([policy(0), _list()], {IDS[0]: 1})


def measure(cell: Cell, program: Path, work: str, times: int, port: int = PORT, spread: int = 1) -> float:
    """Return nanoseconds for each."""
    enter = 'echo $$ >"$0/cgroup.procs" && exec nsenter --net="$@"'
    command = ["sh", "-c", enter, cell.parent / IDS[0], cell.inside.net, program, work, FRIEND4, port, times, spread]
    done = subprocess.run([str(word) for word in command], capture_output=True, check=True, text=True)
    return float(done.stdout)
