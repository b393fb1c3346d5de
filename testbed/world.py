"""The world around an engine: an honest payment service, the attacker's servers, the shop's customers.

Each is a process in a network namespace of its own (the customers live on the engine's host), joined to the engine's
namespace by a veth pair that is routed, as a data centre's network is::

    containers ── bridge ── engine ──┬── outside   10.214.0.2  payment service, resolver ──┐ 10.216.0.0/24
                                     └── attacker  10.215.0.2  servers, counts every frame ┘
"""

import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from testbed.engine import ThrowAwayEngine
from testbed.namespace import Namespace, link
from testbed.servers import FENCE_PORT, Event

OUTSIDE: Final = "10.214.0.2"
ATTACKER: Final = "10.215.0.2"
ATTACKER6: Final = "fd00:215::2"
RESOLVER: Final = OUTSIDE
"""For :class:`~testbed.engine.ThrowAwayEngine`, ``dns=``."""

_FENCES: Final = 6
_REPOSITORY: Final = Path(__file__).parent.parent


class Peer:
    """A process of the world and what it reports."""

    def __init__(self, role: str, namespace: Namespace, folder: Path, address: str) -> None:
        self._report = folder / f"{role}.report"
        self._report.touch()
        command = [sys.executable, "-m", "testbed.servers", role, str(self._report), address]
        self._process = namespace.start(["env", f"--chdir={_REPOSITORY}", *command])
        self.wait_for(lambda event: event.kind == "ready")

    def mark(self) -> int:
        """Return a mark for ``since=``: everything reported up to now is before it."""
        return self._report.stat().st_size

    def events(self, since: int = 0) -> list[Event]:
        """Return what was reported after a mark."""
        with self._report.open("rb") as report:
            report.seek(since)
            whole = report.read().rpartition(b"\n")[0]
        return [msgspec.json.decode(line, type=Event) for line in whole.splitlines()]

    def wait_for(self, wanted: Callable[[Event], bool], *, since: int = 0, seconds: float = 20) -> Event | None:
        """Return the first event that is wanted; None when there is none in this time."""
        deadline = time.monotonic() + seconds
        while True:
            found = next((event for event in self.events(since) if wanted(event)), None)
            if found is not None or time.monotonic() > deadline:
                return found
            time.sleep(0.01)

    def end(self) -> None:
        """End the process; the report stays."""
        self._process.kill()
        self._process.wait()


class World:
    """The world around one engine, as a context manager."""

    def __init__(self, engine: ThrowAwayEngine) -> None:
        self.engine = engine
        self._namespaces: list[Namespace] = []

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in ("attacker", "outside", "customers"):
            if hasattr(self, name):
                getattr(self, name).end()
        for namespace in self._namespaces:
            namespace.close()

    def serve(self, shop: str) -> None:
        """Let the customers come, to the shop at this address."""
        self.customers = Peer("customer", self.engine.network, self.engine.folder, shop)

    def mark(self) -> int:
        """Return a mark for ``since=``: all that was on its way to the attacker up to now is before it."""
        self.fence()
        return self.attacker.mark()

    def fence(self) -> None:
        """Return when all that was on its way to the attacker has arrived and is counted."""
        mark, word = self.attacker.mark(), f"fence-{secrets.token_hex(8)}"
        for _ in range(_FENCES):  # a datagram may be lost on a busy machine
            self.engine.network.run("bash", "-c", f"printf %s {word} >/dev/udp/{ATTACKER}/{FENCE_PORT}")
            if self.attacker.wait_for(lambda event: event.text == word, since=mark, seconds=5) is not None:
                return
        msg = "the attacker's namespace cannot be reached any more"
        raise RuntimeError(msg)

    def received(self, since: int) -> Counter[str]:
        """Return the bytes that reached the attacker after a mark, by protocol and IP version: ``tcp4`` …"""
        received: Counter[str] = Counter()
        for event in self.frames(since):
            received[f"{event.protocol}{event.version or ''}"] += event.bytes
        return received

    def frames(self, since: int) -> list[Event]:
        """Return the packets that reached the attacker after a mark."""
        self.fence()
        return [event for event in self.attacker.events(since) if event.kind == "frame"]

    def _build(self) -> None:
        host = self.engine.network
        outside, attacker = self._namespace(), self._namespace()
        link(host, outside, names=("outside", "engine"))
        link(host, attacker, names=("attacker", "engine"))
        link(outside, attacker, names=("attacker", "outside"))
        host.sysctl("net.ipv6.conf.all.forwarding", "1")
        for namespace, interface, subnet, number in (
            (host, "outside", 214, 1),
            (outside, "engine", 214, 2),
            (host, "attacker", 215, 1),
            (attacker, "engine", 215, 2),
            (outside, "attacker", 216, 1),
            (attacker, "outside", 216, 2),
        ):
            namespace.run("ip", "address", "add", f"10.{subnet}.0.{number}/24", "dev", interface)
            namespace.run("ip", "address", "add", f"fd00:{subnet}::{number}/64", "dev", interface, "nodad")
        for namespace, subnet in ((outside, 214), (attacker, 215)):
            namespace.run("ip", "route", "add", "default", "via", f"10.{subnet}.0.1")
            namespace.run("ip", "route", "add", "default", "via", f"fd00:{subnet}::1")
        # A server that answers a container that is gone makes the host's kernel complain to it: nobody's payload.
        for tables, protocol in (("iptables", "icmp"), ("ip6tables", "icmpv6")):
            complaint = ("--protocol", protocol, f"--{protocol}-type", "destination-unreachable")
            host.run(
                tables, "--wait", "--insert", "OUTPUT", "--out-interface", "attacker", *complaint, "--jump", "DROP"
            )
        folder = self.engine.folder
        self.attacker = Peer("attacker", attacker, folder, ATTACKER)
        self.attacker.wait_for(lambda event: event.kind == "sniffing")
        self.outside = Peer("outside", outside, folder, "10.216.0.2")

    def _namespace(self) -> Namespace:
        namespace = Namespace(self.engine.tag)
        self._namespaces.append(namespace)
        return namespace
