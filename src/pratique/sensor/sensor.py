"""The facade: every feature under one policy."""

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from pratique.errors import KernelError, UsageError
from pratique.model import CgroupEvent, KernelPolicy, LossEvent, SensorEvent
from pratique.sensor.cgroups import Child, Parent, children, host_netns_cookie, resolve, tops
from pratique.sensor.egress import Egress, FlowCounter, read_flows
from pratique.sensor.feature import Feature
from pratique.sensor.live import Live, remove_pins
from pratique.sensor.opened import Opened
from pratique.sensor.packet import PacketLink, PacketSocket
from pratique.sensor.process import Process
from pratique.sensor.tables import DEFAULT_POLICY, Place, Tables
from pratique.sensor.wire import MAX_PARENTS, NUMBER, EventKind, KernelParent, sum_cpus

LIVE: Final = "live"
_FEATURES: Final[tuple[type[Feature], ...]] = (Egress, Process, PacketSocket, PacketLink, Opened)
_LOSSES_EVERY_S: Final = 1.0
_REMEMBERED: Final = 65536
_CONTAINER_ID: Final = re.compile(r"[0-9a-f]{64}")


class Sensor:
    """What the kernel enforces and tells. Make one with :meth:`open`; there may be one for each pin directory."""

    def __init__(self, parents: Sequence[Parent], pins: Path, features: Sequence[type[Feature]]) -> None:
        if not 0 < len(parents) <= MAX_PARENTS:
            msg = f"a sensor watches 1 to {MAX_PARENTS} parent cgroups, not {len(parents)}"
            raise UsageError(msg)
        self._parents = list(parents)
        self._pins = pins
        self._runs_already = pins.is_dir()
        self._features = features
        self._live: dict[str, Live] = {}
        self._states: dict[str, str] = {}
        self._kernel_parents: tuple[KernelParent, ...] = ()
        self._host_netns = host_netns_cookie()
        self._names: dict[int, str] = {}
        self._lost: dict[str, int] = {}
        self._losses_at = 0.0

    @classmethod
    def open(
        cls,
        parents: Sequence[Parent],
        pin_dir: Path,
        policies: Sequence[KernelPolicy],
        bindings: Mapping[str, int],
        *,
        features: Sequence[type[Feature]] = _FEATURES,
    ) -> Self:
        """Start every feature, or adopt those that run already: for no instant is less enforced than before.

        :param pin_dir: a directory in a bpf file system, made where it is missing
        :param policies: one of them has id 0: it holds for all that is not bound
        :param bindings: container id → policy id
        :raises KernelError: when not one feature can be started
        :raises UsageError: when the arguments contradict each other
        """
        sensor = cls(parents, pin_dir, features)
        _check(policies, bindings)
        try:
            sensor._start(policies, bindings)
        except BaseException:
            sensor.close(keep=sensor._runs_already)
            raise
        return sensor

    @property
    def features(self) -> dict[str, str]:
        """Each feature's name with ``live``, or why it is not."""
        return dict(self._states)

    def apply(self, policies: Sequence[KernelPolicy], bindings: Mapping[str, int]) -> None:
        """Replace all policies and bindings without a gap; sockets that are open are judged again.

        :raises UsageError: when the arguments contradict each other; what was in force stays
        """
        _check(policies, bindings)
        install = self._installer(policies, bindings)
        for live in self._live.values():
            install(live.tables)

    def bind(self, container_id: str, policy_id: int) -> None:
        """Put a container under a policy, whether its cgroup is there already or is still to be made.

        :raises UsageError: when there is no such policy, or the id is none
        """
        _check_id(container_id)
        for live in self._live.values():
            live.tables.bind(container_id, policy_id)

    def unbind(self, container_id: str) -> None:
        """Take a binding back: what is left of the container is under the default."""
        _check_id(container_id)
        for live in self._live.values():
            live.tables.unbind(container_id)

    def filenos(self) -> list[int]:
        """Return the descriptors that are readable when :meth:`read` has something to give."""
        return [
            fd for live in self._live.values() for fd in (*(ring.fd for ring in live.rings), *live.feature.wait_on())
        ]

    def read(self, limit: int) -> list[SensorEvent]:
        """Return at most ``limit`` events, and the losses. They stay in the kernel until :meth:`acknowledge`."""
        offset = _clock_offset()
        events: list[SensorEvent] = []
        for name, live in self._live.items():
            try:
                live.feature.tend(live)
            except KernelError as error:
                self._states[name] = error.what
            decode = live.feature.decode
            for ring in live.rings:
                decoded = (decode(record, offset) for record in ring.read(limit - len(events)))
                events.extend(event for event in decoded if event is not None)
        for event in events:
            if isinstance(event, CgroupEvent):
                self._remember(event.cgroup, event.container)
        if time.monotonic() - self._losses_at >= _LOSSES_EVERY_S:
            events.extend(self._new_losses())
        return events

    def acknowledge(self) -> None:
        """Free the room of all events that were read; what is not acknowledged is told again after a restart."""
        for live in self._live.values():
            for ring in live.rings:
                ring.acknowledge()

    def flows(self, since: float = 0.0) -> list[FlowCounter]:
        """Return the flows that the kernel remembers, each added up since it was first seen.

        :param since: only those in which something happened at this time or later, which is much less work
        """
        live = self._live.get(Egress.name)
        return read_flows(live.maps, _clock_offset(), since) if live else []

    def losses(self) -> dict[str, int]:
        """Return how many events found no room, by ``feature/kind``, since the feature was started."""
        counts: dict[str, int] = {}
        for name, live in self._live.items():
            for kind in EventKind:
                count = sum_cpus(live.maps["pq_losses"].get(NUMBER.pack(kind)) or b"")
                if count:
                    counts[f"{name}/{kind.name.lower()}"] = count
        return counts

    def container_of(self, cgroup: int) -> str | None:
        """Return the container of a cgroup: 64 hex digits, ``buildkit/<id>``, or the name of something else.

        Also for a cgroup that went away a while ago; None for one that was never seen in a parent.
        """
        name = self._names.get(cgroup)
        if name is not None:
            return name
        for live in self._live.values():
            name = live.tables.name_of(cgroup)
            if name is not None:
                self._remember(cgroup, name)
                return name
        return None

    def close(self, *, keep: bool) -> None:
        """Let go; ``keep``: enforcement stays in the kernel for the next :meth:`open`, else it is lifted."""
        for live in self._live.values():
            live.close(keep=keep)
        self._live.clear()
        if not keep:
            remove_pins(self._pins)

    def _start(self, policies: Sequence[KernelPolicy], bindings: Mapping[str, int]) -> None:
        self._kernel_parents = tuple(resolve(parent) for parent in self._parents)
        opened = {resolve(top).cgroup: os.open(top.path, os.O_RDONLY | os.O_DIRECTORY) for top in tops(self._parents)}
        install = self._installer(policies, bindings)
        try:
            for kind in self._features:
                feature = kind()
                self._states[kind.name] = self._start_feature(feature, install, opened)
        finally:
            for fd in opened.values():
                os.close(fd)
        if not self._live:
            reasons = "; ".join(f"{name}: {state}" for name, state in self._states.items())
            msg = f"no feature of the sensor could be started: {reasons}"
            raise KernelError(msg, hint="'pratique doctor' tells what this kernel lacks")
        found = self._children()
        for live in self._live.values():
            live.tables.catch_up(bindings, found)

    def _start_feature(self, feature: Feature, install: Callable[[Tables], None], cgroups: Mapping[int, int]) -> str:
        """Start one feature and return its state; what it lacks is its state, but a policy that does not fit is not."""
        try:
            live = Live.prepare(feature, self._pins)
        except KernelError as error:
            feature.close()
            return error.what
        self._live[feature.name] = live
        install(live.tables)
        try:
            live.attach(cgroups)
            feature.tend(live)
        except KernelError as error:
            live.close(keep=self._runs_already)
            del self._live[feature.name]
            return error.what
        return LIVE

    def _installer(self, policies: Sequence[KernelPolicy], bindings: Mapping[str, int]) -> Callable[[Tables], None]:
        found = self._children()
        place = Place(parents=self._kernel_parents, host_netns=self._host_netns)
        return lambda tables: tables.install(policies, bindings, place, found)

    def _children(self) -> list[Child]:
        return [child for parent in self._parents for child in children(parent)]

    def _new_losses(self) -> list[LossEvent]:
        self._losses_at = time.monotonic()
        now, counts = time.time(), self.losses()
        news = [
            LossEvent(at=now, source=source, count=count - self._lost.get(source, 0))
            for source, count in counts.items()
            if count > self._lost.get(source, 0)
        ]
        self._lost = counts
        return news

    def _remember(self, cgroup: int, name: str) -> None:
        while len(self._names) >= _REMEMBERED:
            del self._names[next(iter(self._names))]
        self._names[cgroup] = name


def _check(policies: Sequence[KernelPolicy], bindings: Mapping[str, int]) -> None:
    ids = {policy.id for policy in policies}
    if DEFAULT_POLICY not in ids or len(ids) != len(policies):
        msg = f"policies must have ids of their own, one of them {DEFAULT_POLICY}"
        raise UsageError(msg)
    for container_id, policy_id in bindings.items():
        _check_id(container_id)
        if policy_id not in ids:
            msg = f"container {container_id[:12]} is bound to policy {policy_id}, which is not there"
            raise UsageError(msg)


def _check_id(container_id: str) -> None:
    if not _CONTAINER_ID.fullmatch(container_id):
        msg = f"{container_id[:80]!r} is not a container id of 64 hexadecimal digits"
        raise UsageError(msg)


def _clock_offset() -> float:
    """Return what to add to CLOCK_MONOTONIC, in which the kernel tells times, to get seconds since the epoch."""
    return time.time() - time.monotonic()
