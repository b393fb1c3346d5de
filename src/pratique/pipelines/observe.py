"""From the kernel's events and counters to alerts and flows in the store."""

import asyncio
from typing import Final

from pratique.detections import Detector, Subject
from pratique.model import Flow, LossEvent, SensorEvent
from pratique.pipelines.memory import Memory
from pratique.pipelines.recorder import Recorder
from pratique.pipelines.subjects import Subjects
from pratique.sensor import FlowCounter, Sensor

_TURN: Final = 2000
"""Events taken from the kernel in one turn."""
_LOOK_EVERY_S: Final = 0.2
_FLOWS_EVERY_S: Final = 2.0
_REMEMBERED: Final = 100_000


class Observer:
    """Reads one sensor. Events stay in the kernel's buffer until what they led to is on disk."""

    def __init__(self, sensor: Sensor, subjects: Subjects, detector: Detector, recorder: Recorder) -> None:
        self._sensor = sensor
        self._subjects = subjects
        self._detector = detector
        self._recorder = recorder
        self._counted: Memory[tuple[object, ...], tuple[int, int]] = Memory(_REMEMBERED)
        self.flows = 0
        self.lost = 0

    async def observe_events(self) -> None:
        """Turn events into alerts, for ever."""
        ready = asyncio.Event()
        loop = asyncio.get_running_loop()
        for descriptor in self._sensor.filenos():
            loop.add_reader(descriptor, ready.set)
        try:
            while True:
                ready.clear()
                events = self._sensor.read(_TURN)
                for event in events:
                    await self._observe(event)
                if events:
                    await self._recorder.durable()
                    self._sensor.acknowledge()
                    continue
                try:
                    async with asyncio.timeout(_LOOK_EVERY_S):
                        await ready.wait()
                except TimeoutError:
                    pass
        finally:
            for descriptor in self._sensor.filenos():
                loop.remove_reader(descriptor)

    async def collect_flows(self) -> None:
        """Add what the kernel counted to the store, for ever."""
        while True:
            await asyncio.sleep(_FLOWS_EVERY_S)
            await self.count_flows()

    async def count_flows(self) -> None:
        """Add what the kernel counted since the last time to the store."""
        counters = self._sensor.flows()
        self.flows = len(counters)
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

    async def _observe(self, event: SensorEvent) -> None:
        if isinstance(event, LossEvent):
            self.lost += event.count
            subject = Subject()
        else:
            subject = await self._subjects.of(self._sensor.container_of(event.cgroup))
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


def _key(flow: FlowCounter) -> tuple[object, ...]:
    return flow.cgroup, flow.direction, flow.protocol, flow.address, flow.port, flow.verdict
