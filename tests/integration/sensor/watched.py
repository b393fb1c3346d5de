"""An engine whose containers are watched by a sensor of the test, and images to attack from."""

import ctypes
import io
import os
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import docker
from docker.models.containers import Container

from pratique.model import DriftMode, EgressMode, ExecEvent, KernelPolicy, PacketSocketEvent, SensorEvent
from pratique.sensor import Parent, ParentKind, Sensor
from testbed import images
from testbed.engine import ThrowAwayEngine

ACTS: Final = "test/acts:1"
"""The base with ``acts``, ``marker`` and ``library.bin``, and what a dynamic program needs."""
_UNIFIED: Final = Path("/sys/fs/cgroup/unified")
_PATIENCE_S: Final = 20.0
_CLONE_NEWNET: Final = 0x40000000
_DYNAMIC: Final = ("/bin/true", "/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2")
_CONSTRUCTOR: Final = """
#include <fcntl.h>
__attribute__((constructor)) static void run(void) { creat("/out/constructor", 0644); }
"""
_DYNAMIC_MAIN: Final = "int main(void) { return 0; }\n"


@cache
def _compiled(name: str, source: str, *flags: str) -> bytes:
    target = Path(f"/tmp/pratique-{name}-{os.getpid()}")
    subprocess.run(["gcc", "-x", "c", "-", "-O2", *flags, "-o", target], input=source.encode(), check=True)
    try:
        return target.read_bytes()
    finally:
        target.unlink()


@cache
def constructor() -> bytes:
    """A shared object whose constructor leaves the mark ``/out/constructor``."""
    return _compiled("constructor", _CONSTRUCTOR, "-shared", "-fPIC", "-s")


@cache
def acts_image() -> images.Image:
    """The image ``ACTS``."""
    acts = _compiled("acts", Path(__file__).with_name("acts.c").read_text(), "-std=gnu11", "-static", "-s")
    files = {
        "acts": acts,
        "marker": images.program("marker"),
        "copied": images.program("marker"),
        "library.bin": images.program("library"),
        "constructor.so": constructor(),
        "dynamic": _compiled("dynamic", _CONSTRUCTOR + _DYNAMIC_MAIN, "-s"),
        "script": b"#!/bin/sh\n: > $1\n",
        "out/README": b"what ran leaves its mark here\n",
    }
    files |= {path.lstrip("/"): Path(path).resolve().read_bytes() for path in _DYNAMIC}
    return images.derived(ACTS, files, Cmd=["/bin/sleep", "1000"])


class Watched:
    """An engine, and a sensor over its containers."""

    def __init__(self, engine: ThrowAwayEngine, client: docker.DockerClient, sensor: Sensor) -> None:
        self.engine = engine
        self.client = client
        self.sensor = sensor

    def enforce(
        self,
        *,
        drift: DriftMode = DriftMode.KILL,
        egress: EgressMode = EgressMode.LEARN,
        changed_metadata: bool = False,
    ) -> None:
        """Put one policy over all containers, and forget the events so far."""
        policy = KernelPolicy(id=0, egress=egress, drift=drift, allow_changed_metadata=changed_metadata)
        self.sensor.apply([policy], {})
        self.events()

    def start(self, *command: str, image: str = ACTS, **options: Any) -> Container:
        """Start a container that waits."""
        return self.client.containers.run(image, list(command) or None, detach=True, **options)

    def events(self) -> list[SensorEvent]:
        """Return what the sensor tells now, and let it tend to what came and went."""
        events: list[SensorEvent] = []
        with network_of(self.engine.network.pid):
            while turn := self.sensor.read(1000):
                events += turn
                self.sensor.acknowledge()
        return events

    def executions(self) -> list[ExecEvent]:
        """Return the executions among what the sensor tells now."""
        return [event for event in self.events() if isinstance(event, ExecEvent)]

    def packet_sockets(self) -> list[PacketSocketEvent]:
        """Return the packet sockets among what the sensor tells now."""
        return [event for event in self.events() if isinstance(event, PacketSocketEvent)]


def does(container: Container, script: str) -> str:
    """Run a line of shell in a container; return what it wrote."""
    output = container.exec_run(["sh", "-c", script]).output
    assert isinstance(output, bytes)
    return output.decode()


def result(container: Container, *command: str) -> int:
    """Run a program in a container; return its exit code, 137 when it was killed."""
    code = container.exec_run(list(command)).exit_code
    assert code is not None
    return code


def marks(container: Container) -> set[str]:
    """Return which programs left their mark in ``/out``."""
    return set(does(container, "ls /out").split()) - {"README"}


def put(container: Container, path: str, content: bytes) -> None:
    """Bring an executable file into a container from outside, as ``docker cp`` does."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(Path(path).name)
        entry.mode, entry.size = 0o755, len(content)
        tar.addfile(entry, io.BytesIO(content))
    container.put_archive(str(Path(path).parent), buffer.getvalue())


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that takes an unknown time."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.02)


@contextmanager
def network_of(pid: int) -> Iterator[None]:
    """Have the current thread in the network namespace of a process."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    other = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        assert libc.setns(other, _CLONE_NEWNET) == 0
        yield
    finally:
        assert libc.setns(home, _CLONE_NEWNET) == 0
        os.close(home)
        os.close(other)


def parent_of(engine: ThrowAwayEngine) -> Parent:
    """Return where an engine puts its containers."""
    return Parent(path=_UNIFIED / engine.cgroup_parent.lstrip("/"), kind=ParentKind.ALL)


@contextmanager
def watching(engine: ThrowAwayEngine) -> Iterator[Sensor]:
    """Have a sensor over an engine's containers, opened in the engine's network."""
    policy = KernelPolicy(id=0, egress=EgressMode.LEARN, drift=DriftMode.ALERT)
    with network_of(engine.network.pid):
        sensor = Sensor.open([parent_of(engine)], engine.pin_dir, [policy], {})
        try:
            yield sensor
        finally:
            sensor.close(keep=False)
