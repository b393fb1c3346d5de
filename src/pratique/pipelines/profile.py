"""Runs a command and writes down whom the containers of an engine talked to meanwhile, and what they ran.

No agent is needed, and one that runs goes on undisturbed: the sensor here is one of its own, lets everything through
and is gone at the end.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from pratique.errors import EngineError, UsageError
from pratique.model import (
    Container,
    DriftMode,
    EgressMode,
    ExecEvent,
    ExecFlag,
    Flow,
    ImageId,
    KernelPolicy,
    LossEvent,
    SensorEvent,
)
from pratique.pipelines.prepare import privileged
from pratique.policy import Document, Owner, Profile, learn, profile_of, repository
from pratique.runtime import Engine, container_parents, mount_kernel_filesystems
from pratique.sensor import FlowCounter, Parent, ParentKind, Sensor

_TURN: Final = 2000
_LOOK_EVERY_S: Final = 0.1
_COUNT_EVERY_S: Final = 1.0
_MAX_PROGRAMS: Final = 5000
"""Of one image; a compiler's temporary programs must not fill the memory."""
_SERVICE_LABELS: Final = ("com.docker.compose.service", "com.docker.swarm.service.name")
_Key = tuple[object, ...]


class Settings(Struct, frozen=True):
    """Which engine to watch, and how."""

    docker_host: str
    cgroup_parent: str
    pin_dir: Path
    """A directory of this recording alone, in a bpf file system."""


class Recorded(Struct, frozen=True):
    """What a recording gave."""

    profile: Profile
    exit_code: int
    """Of the command; 128 + signal for one that was killed."""
    lost: int = 0
    """Events that the kernel could not hand over: programs may be missing."""
    unknown: int = 0
    """Containers that were gone before anybody could ask what they were."""


async def record(settings: Settings, command: Sequence[str]) -> Recorded:
    """Run a command while the sensor watches, and return what each image did.

    :raises HostError: when this user may not watch
    :raises EngineError: when the engine does not answer
    :raises KernelError: when the sensor cannot be started
    :raises UsageError: when the command cannot be run
    """
    privileged()
    mount_kernel_filesystems()
    async with Engine.connect(settings.docker_host) as engine:
        driver = (await engine.info()).cgroup_driver
        parents = [
            Parent(path=parent.path, kind=ParentKind.ALL if parent.exclusive else ParentKind.NAMED)
            for parent in container_parents(driver, settings.cgroup_parent)
        ]
        with _sensor(parents, settings.pin_dir) as sensor:
            witness = _Witness(engine, sensor)
            async with witness.watching():
                exit_code = await _run(command)
            return Recorded(await witness.profile(), exit_code, witness.lost, witness.unknown)


@contextmanager
def _sensor(parents: Sequence[Parent], pin_dir: Path) -> Iterator[Sensor]:
    everything = KernelPolicy(id=0, egress=EgressMode.LEARN, drift=DriftMode.ALERT)
    sensor = Sensor.open(parents, pin_dir, [everything], {})
    try:
        yield sensor
    finally:
        sensor.close(keep=False)


async def _run(command: Sequence[str]) -> int:
    try:
        process = await asyncio.create_subprocess_exec(*command)
    except OSError as error:
        msg = f"{command[0]} cannot be run: {error.strerror}"
        raise UsageError(msg) from error
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # a terminal's Ctrl-C is the command's; it ends, then we do
    loop.add_signal_handler(signal.SIGTERM, process.terminate)
    try:
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        loop.remove_signal_handler(signal.SIGINT)
        loop.remove_signal_handler(signal.SIGTERM)
    return code if code >= 0 else 128 - code


class _Witness:
    """Keeps what the sensor and the engine tell until a profile is made of it."""

    def __init__(self, engine: Engine, sensor: Sensor) -> None:
        self._engine = engine
        self._sensor = sensor
        self._containers: dict[str, Container] = {}
        self._owners: dict[str, Container] = {}
        self._gateways: dict[str, str] = {}
        self._flows: dict[_Key, FlowCounter] = {}
        self._programs: dict[str, set[str]] = {}
        self.lost = 0
        self.unknown = 0

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch for as long as the block lasts."""
        async with self._engine.listen() as events, asyncio.TaskGroup() as tasks:

            async def follow() -> None:
                with suppress(EngineError):  # an engine that goes away ends the command's containers, not the command
                    async for event in events:
                        if event.kind == "container" and event.action in {"create", "start", "die"}:
                            await self._look_at(event.id)
                        elif event.kind == "network" and event.action == "connect":
                            await self._look_at(event.attributes.get("container", ""))

            for container in await self._engine.containers():
                self._take_in(container)
            running = [tasks.create_task(work) for work in (follow(), self._read_events(), self._count())]
            yield
            for task in running:
                task.cancel()

    async def profile(self) -> Profile:
        """Return the profile, with the last that the kernel knows."""
        self._read()
        self._add_flows()
        flows, programs = [], dict[str, set[str]]()
        for counter in self._flows.values():
            container = self._known(counter.cgroup)
            if container is not None:
                flows.append(_flow(counter, container))
        for name, paths in self._programs.items():
            if name in self._containers:
                programs.setdefault(self._containers[name].image, set()).update(paths)
        seen = {self._containers[name].image for name in self._programs if name in self._containers}
        seen |= {ImageId(flow.image) for flow in flows}
        self.unknown = len(self._programs.keys() - self._containers.keys())
        names: dict[str, str] = {image: await self._name(image) for image in seen}
        owners = {
            address: Owner(repository(names.get(container.image) or container.image_reference), service_of(container))
            for address, container in self._owners.items()
        }
        return profile_of(learn(Document(), flows, names).document, owners, programs, self._gateways)

    async def _name(self, image: ImageId) -> str:
        """Return the reference under which an image was started; the id of one without a name."""
        references = {container.image_reference for container in self._containers.values() if container.image == image}
        identity = None
        with suppress(EngineError):
            identity = await self._engine.image(image)
        known = set(identity.references) if identity is not None else set()
        named = sorted(references & known) or sorted(known) or sorted(references)
        return named[0] if named else image

    async def _look_at(self, container_id: str) -> None:
        with suppress(EngineError):  # it is gone already; what is known of it stays
            container = await self._engine.container(container_id)
            if container is not None:
                self._take_in(container)

    def _take_in(self, container: Container) -> None:
        self._containers[container.id] = container
        for address in container.addresses:
            self._owners[address] = container
        for network in container.networks:
            for gateway in network.gateways:
                self._gateways[gateway] = f"the host, in network {network.name}"

    def _known(self, cgroup: int) -> Container | None:
        return self._containers.get(self._sensor.container_of(cgroup) or "")

    async def _read_events(self) -> None:
        while True:
            if not self._read():
                await asyncio.sleep(_LOOK_EVERY_S)
            await asyncio.sleep(0)

    def _read(self) -> bool:
        events = self._sensor.read(_TURN)
        for event in events:
            self._observe(event)
        self._sensor.acknowledge()
        return bool(events)

    def _observe(self, event: SensorEvent) -> None:
        if isinstance(event, LossEvent):
            self.lost += event.count
        elif isinstance(event, ExecEvent) and ExecFlag.LIBRARY not in event.flags:
            name = self._sensor.container_of(event.cgroup)
            if name is not None and len(name) == 64:
                programs = self._programs.setdefault(name, set())
                if len(programs) < _MAX_PROGRAMS:
                    programs.add(event.filename)

    async def _count(self) -> None:
        while True:
            await asyncio.sleep(_COUNT_EVERY_S)
            self._add_flows()

    def _add_flows(self) -> None:
        for counter in self._sensor.flows():
            key = (counter.cgroup, counter.direction, counter.protocol, counter.address, counter.port)
            self._flows[key] = counter


def _flow(counter: FlowCounter, container: Container) -> Flow:
    return Flow(
        container=container.id,
        image=container.image,
        direction=counter.direction,
        protocol=counter.protocol,
        address=counter.address,
        port=counter.port,
        verdict=counter.verdict,
        packets=counter.packets,
        bytes=counter.bytes,
        first_seen=counter.first_seen,
        last_seen=counter.last_seen,
        command=counter.command,
    )


def pin_dir(beside: Path) -> Path:
    """Return a pin directory for one recording, beside that of the agent."""
    return beside.with_name(f"{beside.name}-profile-{os.getpid()}")


def service_of(container: Container) -> str:
    """Return what a container is to others: its service in Compose or a swarm, else its name."""
    return next((container.labels[label] for label in _SERVICE_LABELS if container.labels.get(label)), container.name)


async def addresses_here(engine: Engine) -> dict[Owner, set[str]]:
    """Return the addresses of what runs on a host, by image and service, and by image alone.

    :raises EngineError: when the engine does not answer
    """
    found: dict[Owner, set[str]] = {}
    names: dict[str, set[str]] = {
        image.id: {repository(reference) for reference in image.references} for image in await engine.images()
    }
    for container in await engine.containers():
        if container.running:
            own = {repository(container.image_reference)} if container.image_reference else set()
            for name in names.get(container.image, set()) | own:
                for service in ("", service_of(container)):
                    found.setdefault(Owner(name, service), set()).update(container.addresses)
    return found


async def images_here(engine: Engine, profile: Profile) -> dict[str, str]:
    """Return the ids of a profile's images on a host: the very same image, else the one of that name.

    :raises EngineError: when the engine does not answer
    """
    here: dict[str, str] = {}
    for image in profile.images:
        for name in (image.id, image.name):
            with suppress(UsageError):
                identity = await engine.image(name) if name else None
                if identity is not None:
                    here.setdefault(image.name, identity.id)
    return here
