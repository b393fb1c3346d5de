"""Customers who ask again and again, and count: ``python -m testbed.load ADDRESS PORT REPORT``.

Each request is a connection of its own, made once: what is refused, cut or wrong is a failed request.
"""

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from testbed.namespace import Namespace, link

CUSTOMERS: Final = 4
_PATIENCE_S: Final = 60.0
_PAUSE_S: Final = 0.1
_ADDRESS: Final = "10.219.0"
_REPOSITORY: Final = Path(__file__).parent.parent


class Tally(Struct):
    """What the customers saw so far."""

    served: int = 0
    failed: int = 0
    slowest_s: float = 0.0
    reasons: list[str] = []


class Load:
    """Customers at work, in a network namespace outside."""

    def __init__(self, report: Path) -> None:
        self._report = report

    def tally(self) -> Tally:
        """Return what they saw so far."""
        try:
            return msgspec.json.decode(self._report.read_bytes(), type=Tally)
        except FileNotFoundError:
            return Tally()

    def wait_for(self, more: int, seconds: float = 60.0) -> Tally:
        """Wait until so many more were served, and return what they saw.

        :raises RuntimeError: when that takes too long
        """
        wanted, deadline = self.tally().served + more, time.monotonic() + seconds
        while (seen := self.tally()).served < wanted:
            if time.monotonic() > deadline:
                msg = f"the customers were not served {more} times within {seconds:.0f} s: {seen}"
                raise RuntimeError(msg)
            time.sleep(0.05)
        return seen


@contextmanager
def load(host: Namespace, port: int, report: Path) -> Iterator[Load]:
    """Have customers come to a port of a host for as long as the block lasts."""
    outside = Namespace(host.tag)
    try:
        link(host, outside, names=("customers", "engine"))
        for namespace, interface, number in ((host, "customers", 1), (outside, "engine", 2)):
            namespace.run("ip", "address", "add", f"{_ADDRESS}.{number}/24", "dev", interface)
        command = [sys.executable, "-m", "testbed.load", f"{_ADDRESS}.1", str(port), str(report)]
        process = outside.start(["env", f"--chdir={_REPOSITORY}", *command])
        try:
            yield Load(report)
        finally:
            process.kill()
            process.wait()
    finally:
        outside.close()


async def _ask(address: str, port: int) -> str:
    """Make one request; return what went wrong, or ``""``."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                writer.write(b"GET / HTTP/1.0\r\n\r\n")
                answer = await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"
    return "" if answer.startswith(b"HTTP/1.0 200") else f"answer {answer[:60]!r}"


async def _customer(address: str, port: int, tally: Tally, report: Path) -> None:
    while True:
        started = time.monotonic()
        wrong = await _ask(address, port)
        tally.slowest_s = max(tally.slowest_s, time.monotonic() - started)
        if wrong:
            tally.failed += 1
            tally.reasons = [*tally.reasons[-20:], f"{time.time():.3f} {wrong}"]
        else:
            tally.served += 1
        beside = report.with_suffix(f".{os.getpid()}")
        beside.write_bytes(msgspec.json.encode(tally))
        beside.replace(report)
        await asyncio.sleep(_PAUSE_S)


async def _customers(address: str, port: int, report: Path) -> None:
    tally = Tally()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(CUSTOMERS):
            tasks.create_task(_customer(address, port, tally, report))


if __name__ == "__main__":
    asyncio.run(_customers(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
