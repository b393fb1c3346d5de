"""A container without an engine, and the world around it: cgroups below a parent of our own, two network namespaces.

The container's side is 10.201.0.1 and fd01::1; the other side has .2, which tests allow, and .3, which they do not.
"""

import contextlib
import ctypes
import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, NamedTuple, Self

from pratique.model import DriftMode, EgressMode, EgressRule, KernelPolicy, Protocol, SensorEvent
from pratique.sensor import Parent, ParentKind, Sensor
from pratique.sensor.egress import Egress
from pratique.sensor.live import remove_pins
from testbed.namespace import Namespace, link

HERE4, FRIEND4, FOE4 = "10.201.0.1", "10.201.0.2", "10.201.0.3"
HERE6, FRIEND6, FOE6 = "fd01::1", "fd01::2", "fd01::3"
PORT: Final = 8080
FENCE: Final = 9
IDS: Final = tuple(digit * 64 for digit in "abcdef")

_CLONE_NEWNET: Final = 0x40000000
_NEIGHBOURS: Final = frozenset({*range(130, 138), 143})
_PATIENCE_S: Final = 10.0
_SO_RCVBUFFORCE: Final = 33
_LOOP: Final = """
import array, ctypes, json, os, socket, struct, sys, time
scope = {}
for line in sys.stdin:
    try:
        exec(json.loads(line), globals(), scope)
        answer = {"value": scope.pop("value", None)}
    except OSError as error:
        answer = {"errno": error.errno if error.errno is not None else 0, "kind": type(error).__name__}
    except Exception as error:
        answer = {"broken": repr(error)}
    print(json.dumps(answer), flush=True)
"""


class Frame(NamedTuple):
    """A packet that arrived on the other side."""

    version: int
    protocol: int
    destination: str
    port: int


class Inmate:
    """A process in a container, which does what it is told and keeps its variables."""

    def __init__(self, cgroup: Path, net: Path) -> None:
        enter = 'echo $$ >"$0/cgroup.procs" && exec nsenter --net="$1" "$2" -c "$3"'
        self._process = subprocess.Popen(
            ["sh", "-c", enter, str(cgroup), str(net), sys.executable, _LOOP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def try_to(self, code: str) -> dict[str, Any]:
        """Run code; return ``{"value": …}`` with what it left in ``value``, or ``{"errno": …}``."""
        self.begin(code)
        return self.finish()

    def begin(self, code: str) -> None:
        """Start to run code."""
        stdin = self._pipe(self._process.stdin)
        stdin.write(json.dumps(code) + "\n")
        stdin.flush()

    def finish(self) -> dict[str, Any]:
        """Return the outcome of what was begun."""
        line = self._pipe(self._process.stdout).readline()
        answer: dict[str, Any] = json.loads(line) if line else {"broken": "the process is gone"}
        if "broken" in answer:
            raise AssertionError(answer["broken"])
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


class Cell:
    """One parent cgroup, one container's namespace and one of servers."""

    def __init__(self, tag: str) -> None:
        self.parent = _unified() / tag
        self.pins = Path("/sys/fs/bpf") / tag
        self._undo = contextlib.ExitStack()
        self._scene = contextlib.ExitStack()
        self.inside = Namespace(tag)
        self.outside = Namespace(tag)
        self._undo.callback(self.parent.rmdir)
        self._undo.callback(remove_pins, self.pins)
        self._undo.callback(self.inside.close)
        self._undo.callback(self.outside.close)
        self._undo.callback(self.tidy)
        link(self.inside, self.outside, names=("eth0", "peer0"))
        for namespace, device, addresses in (
            (self.inside, "eth0", (f"{HERE4}/24", f"{HERE6}/64")),
            (self.outside, "peer0", (f"{FRIEND4}/24", f"{FOE4}/24", f"{FRIEND6}/64", f"{FOE6}/64")),
        ):
            for address in addresses:
                namespace.run("ip", "addr", "add", address, "dev", device, *(["nodad"] if ":" in address else []))
        self.parent.mkdir()
        with entered(self.outside.net):
            self._sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self._undo.callback(self._sniffer.close)
        self._sniffer.setblocking(False)
        self._sniffer.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
        self._fences = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def tidy(self) -> None:
        """End what tests started since the last time: processes, sockets, cgroups."""
        self._scene.close()
        for path in sorted(self.parent.rglob("*"), key=lambda path: -len(path.parts)):
            if path.is_dir():
                path.rmdir()

    def sensor(
        self,
        policies: Sequence[KernelPolicy],
        bindings: Mapping[str, int] | None = None,
        *,
        kind: ParentKind = ParentKind.ALL,
    ) -> Sensor:
        """Open a sensor with the feature egress on the parent; close it yourself."""
        parents = [Parent(self.parent, kind)]
        return Sensor.open(parents, self.pins, policies, bindings or {}, features=[Egress])

    def cgroup(self, name: str) -> Path:
        """Make a cgroup below the parent."""
        path = self.parent / name
        path.mkdir(parents=True)
        return path

    def inmate(self, name: str, *, net: Path | None = None) -> Inmate:
        """Start a process in a cgroup below the parent, which is made where it is missing."""
        path = self.parent / name
        inmate = Inmate(path if path.is_dir() else self.cgroup(name), net or self.inside.net)
        self._scene.callback(inmate.close)
        return inmate

    def outside_socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Make a socket on the other side."""
        return self._socket(self.outside, family, kind, protocol)

    def inside_socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Make a socket in the container's namespace that is not the container's."""
        return self._socket(self.inside, family, kind, protocol)

    def server(self, address: str, port: int = PORT) -> socket.socket:
        """Listen for TCP on the other side."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = self.outside_socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen()
        listener.settimeout(_PATIENCE_S)
        return listener

    def accept(self, server: socket.socket) -> socket.socket:
        """Return the next connection of a server."""
        connection, _ = server.accept()
        connection.settimeout(_PATIENCE_S)
        self._scene.callback(connection.close)
        return connection

    def receiver(self, address: str, port: int = PORT) -> socket.socket:
        """Receive datagrams on the other side."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        receiver = self.outside_socket(family, socket.SOCK_DGRAM)
        receiver.bind((address, port))
        receiver.settimeout(_PATIENCE_S)
        return receiver

    def frames(self) -> list[Frame]:
        """Return what arrived on the other side since the last time, without ARP and neighbour discovery."""
        self._fences += 1
        mark = f"fence {self._fences}".encode()
        with self.inside_socket(socket.AF_INET, socket.SOCK_DGRAM) as fence:
            fence.sendto(mark, (FRIEND4, FENCE))
        found: list[Frame] = []
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            try:
                packet, source = self._sniffer.recvfrom(65535)
            except BlockingIOError:
                time.sleep(0.001)
                continue
            if packet.endswith(mark):
                return found
            frame = _frame(packet)
            if source[0] == "peer0" and source[2] != socket.PACKET_OUTGOING and frame and frame.port != FENCE:
                found.append(frame)
        msg = "the fence did not arrive"
        raise AssertionError(msg)

    def _socket(self, namespace: Namespace, family: int, kind: int, protocol: int) -> socket.socket:
        with entered(namespace.net):
            made = socket.socket(family, kind, protocol)
        self._scene.callback(made.close)
        return made


@contextlib.contextmanager
def entered(net: Path) -> Iterator[None]:
    """Put this thread into a network namespace for a while."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open("rb") as back, net.open("rb") as there:
        assert libc.setns(there.fileno(), _CLONE_NEWNET) == 0
        try:
            yield
        finally:
            assert libc.setns(back.fileno(), _CLONE_NEWNET) == 0


def policy(
    number: int, *rules: tuple[str, Protocol | None, int], mode: EgressMode = EgressMode.ENFORCE
) -> KernelPolicy:
    """Return a kernel policy from (network, protocol, port) lines."""
    return KernelPolicy(
        id=number,
        egress=mode,
        drift=DriftMode.ALERT,
        rules=tuple(EgressRule(network=network, protocol=protocol, port=port) for network, protocol, port in rules),
    )


def collect(sensor: Sensor, kind: type[SensorEvent]) -> list[Any]:
    """Return the events of one kind that wait, and acknowledge all."""
    events = [event for event in sensor.read(100_000) if isinstance(event, kind)]
    sensor.acknowledge()
    return events


def _frame(packet: bytes) -> Frame | None:
    version = packet[0] >> 4
    if version == 4:
        protocol, start = packet[9], (packet[0] & 15) * 4
        destination = socket.inet_ntop(socket.AF_INET, packet[16:20])
    elif version == 6:
        protocol, start = packet[6], 40
        destination = socket.inet_ntop(socket.AF_INET6, packet[24:40])
        if protocol == 0:
            protocol, start = packet[40], 48 + packet[41] * 8
    else:
        return None
    if protocol == socket.IPPROTO_ICMPV6 and packet[start] in _NEIGHBOURS:
        return None
    port = struct.unpack_from(">H", packet, start + 2)[0] if protocol in {6, 17} and len(packet) > start + 4 else 0
    return Frame(version, protocol, destination, port)


def _unified() -> Path:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, path, kind, *_ = line.split(" ")
        if kind == "cgroup2":
            return Path(path)
    msg = "no cgroup v2 hierarchy is mounted"
    raise AssertionError(msg)
