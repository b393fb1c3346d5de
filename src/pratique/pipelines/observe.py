"""From the kernel's events and counters to alerts and flows in the store."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from pratique.detections import Detector, Subject
from pratique.model import Flow, LossEvent, SensorEvent
from pratique.pipelines.loading import Loading
from pratique.pipelines.memory import Memory
from pratique.pipelines.recorder import Recorder
from pratique.pipelines.subjects import Subjects
from pratique.sensor import FlowCounter, Sensor

_TURN: Final = 2000
"""Events taken from the kernel in one turn."""
_LOOK_EVERY_S: Final = 0.2
_FLOWS_EVERY_S: Final = 2.0
_REMEMBERED: Final = 100_000
_CLOCKS_DIFFER_S: Final = 1.0
"""The kernel tells times since the boot; what they are in seconds since the epoch is known only so well."""
_Key = tuple[object, ...]


class Observer:
    """Reads one sensor. Events stay in the kernel's buffer until what they led to is on disk."""

    def __init__(
        self,
        sensor: Sensor,
        subjects: Subjects,
        detector: Detector,
        recorder: Recorder,
        loading: Loading,
        recorded: Callable[[float], Sequence[Flow]],
    ) -> None:
        """Bind the observer to its surroundings.

        :param recorded: returns the flows in the store that were seen since a time
        """
        self._sensor = sensor
        self._subjects = subjects
        self._detector = detector
        self._recorder = recorder
        self._loading = loading
        self._recorded = recorded
        self._counted: Memory[_Key, tuple[int, int]] = Memory(_REMEMBERED)
        self._is_adopted = False
        self._counted_at = 0.0
        self.lost = 0

    @property
    def flows(self) -> int:
        """How many flows are known."""
        return len(self._counted)

    async def observe_events(self) -> None:
        """Turn events into alerts, for ever."""
        while True:
            events = self._sensor.read(_TURN)
            for event in events:
                await self._observe(event)
            if events:
                await self._recorder.durable()
                self._sensor.acknowledge()
            else:
                await self._until_readable()

    async def _until_readable(self) -> None:
        """Wait for events. Descriptors are watched only here: they are readable until what was read is acknowledged."""
        ready = asyncio.Event()
        loop = asyncio.get_running_loop()
        descriptors = self._sensor.filenos()
        for descriptor in descriptors:
            loop.add_reader(descriptor, ready.set)
        try:
            async with asyncio.timeout(_LOOK_EVERY_S):
                await ready.wait()
        except TimeoutError:
            pass
        finally:
            for descriptor in descriptors:
                loop.remove_reader(descriptor)

    async def collect_flows(self) -> None:
        """Add what the kernel counted to the store, for ever."""
        while True:
            await asyncio.sleep(_FLOWS_EVERY_S)
            await self.count_flows()

    async def count_flows(self) -> None:
        """Add what the kernel counted since the last time to the store."""
        started = time.time()
        counters = self._sensor.flows(since=self._counted_at)
        self._counted_at = started - _CLOCKS_DIFFER_S
        if not self._is_adopted:
            await self._adopt(counters)
            self._is_adopted = True
        for counter in counters:
            key = _key(counter)
            packets, size = self._counted.get(key, (0, 0))
            if counter.packets < packets:  # the kernel forgot the flow and began anew
                packets = size = 0
            if counter.packets == packets:
                continue
            self._counted[key] = (counter.packets, counter.bytes)
            subject = await self._subjects.of(self._sensor.container_of(counter.cgroup))
            self._recorder.flow(self._flow(counter, subject, counter.packets - packets, counter.bytes - size))

    async def _adopt(self, counters: Sequence[FlowCounter]) -> None:
        """Take what an earlier agent put into the store as counted: the kernel's counters outlive agents."""
        if not counters:
            return
        since = min(counter.first_seen for counter in counters) - _CLOCKS_DIFFER_S
        recorded = {_stored_key(flow): flow for flow in await asyncio.to_thread(self._recorded, since)}
        for counter in counters:
            subject = await self._subjects.of(self._sensor.container_of(counter.cgroup))
            flow = recorded.get(_stored_key(self._flow(counter, subject, 0, 0)))
            if flow is not None and flow.first_seen >= counter.first_seen - _CLOCKS_DIFFER_S:
                counted = min(flow.packets, counter.packets), min(flow.bytes, counter.bytes)
                self._counted[_key(counter)] = counted

    async def _observe(self, event: SensorEvent) -> None:
        if isinstance(event, LossEvent):
            self.lost += event.count
            subject = Subject()
        else:
            subject = await self._subjects.of(self._sensor.container_of(event.cgroup))
        await self._loading.take(event, subject)
        for alert in self._detector.observe(event, subject):
            self._recorder.alert(alert)

    def _flow(self, counter: FlowCounter, subject: Subject, packets: int, size: int) -> Flow:
        return Flow(
            container=subject.container,
            image=subject.image,
            direction=counter.direction,
            protocol=counter.protocol,
            address=counter.address,
            port=counter.port,
            verdict=counter.verdict,
            packets=packets,
            bytes=size,
            first_seen=counter.first_seen,
            last_seen=counter.last_seen,
            command=counter.command,
        )


def _key(flow: FlowCounter) -> _Key:
    return flow.cgroup, flow.direction, flow.protocol, flow.address, flow.port, flow.verdict


def _stored_key(flow: Flow) -> _Key:
    return flow.container, flow.image, flow.direction, flow.protocol, flow.address, flow.port, flow.verdict
