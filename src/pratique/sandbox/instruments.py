"""The threads that listen while an image runs, and all that they heard, within the bounds of a recording."""

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from pratique.errors import KernelError, SandboxError
from pratique.model import (
    CgroupEvent,
    ConversationEvent,
    DriftMode,
    EgressMode,
    ExecEvent,
    KernelPolicy,
    LossEvent,
    RecordedEvent,
    Recording,
    SensorEvent,
)
from pratique.sandbox.files import Watcher, left_behind
from pratique.sandbox.job import Job
from pratique.sandbox.leftovers import PINS
from pratique.sandbox.meters import inode_of, unified
from pratique.sandbox.notify import Supervisor
from pratique.sandbox.sinkhole.client import Sinkhole
from pratique.sensor import Parent, ParentKind, Sensor
from pratique.sensor.egress import Egress
from pratique.sensor.packet import PacketSocket
from pratique.sensor.process import Process

_FEATURES: Final = (Egress, Process, PacketSocket)
"""Not ``packet-link``: it would attach to the host's interfaces, and no frame of the sandbox reaches one."""
_POLICY: Final = KernelPolicy(id=0, egress=EgressMode.LEARN, drift=DriftMode.ALERT)
_REPEATED: Final = "/exec_repeated"
_BUDGET_A_SECOND: Final = 500
"""Ordinary executions of one container that the sensor tells in a second: ``CONTAINER_PER_SECOND``."""
_PATIENCE: Final = 0.25
"""The share of the time that short sleeps may take."""
_POLL_MS: Final = 100
_BATCH: Final = 1_000
_DRAIN_BYTES: Final = 1 << 16
_PAUSE_S: Final = 0.01
"""Between reads of output beyond what is kept: whoever floods is held up, and costs no more than this."""


class Instruments:
    """What listens. Everything begins in the constructor or in one call, and ends when ``undo`` is closed."""

    def __init__(self, job: Job, undo: contextlib.ExitStack, bait: dict[str, str], merged: str) -> None:
        self._job = job
        self._undo = undo
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._sensed: list[SensorEvent] = []
        self._recorded: list[RecordedEvent] = []
        self._omitted = 0
        self._repeated = 0
        self._output = bytearray()
        self._threads: list[threading.Thread] = []
        self._supervisor: Supervisor | None = None
        self._sinkhole: Sinkhole | None = None
        self._failure: BaseException | None = None
        self._sensor = self._open_sensor()
        undo.callback(self._sensor.close, keep=False)
        self._watcher = Watcher(merged, bait, self._record)
        undo.callback(self._watcher.close)
        undo.callback(self._end)
        self._start("sensor", self._follow_sensor)
        self._start("files", self._follow_files)

    def listen_to(self, sinkhole: Sinkhole) -> None:
        """Take the conversations of the sinkhole."""
        self._sinkhole = sinkhole
        self._start("sinkhole", lambda: sinkhole.follow(self._record))

    def answer_calls(self, listener: socket.socket) -> None:
        """Wait for the container's seccomp filter at a listening socket, and answer it."""
        self._supervisor = Supervisor(listener, self._record, patience_s=self._job.options.for_s * _PATIENCE)
        self._start("calls", self._supervisor.serve)

    def watch_memory(self, init: int) -> None:
        """Watch the container's memory file system as well."""
        with contextlib.suppress(OSError):
            self._watcher.add(f"/proc/{init}/root/dev/shm")  # the container's

    @contextlib.contextmanager
    def output(self) -> Iterator[int]:
        """Give a pipe to write to for the container's output; its first bytes are kept, all of them are read."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.fchmod(writer, 0o666)  # servers open /dev/stdout anew, and are nobody that the pipe knows
        self._start("output", lambda: self._follow_output(reader))
        try:
            yield writer
        finally:
            os.close(writer)

    def recording(self, *, output: bytes = b"", **facts: Any) -> Recording:
        """End all instruments and return what they heard. The container's processes have to be gone."""
        cgroup = inode_of(self._job)
        self._end()
        for event in left_behind(Path("/run/upper/files"), self._watcher.written()):
            self._record(event)
        if self._failure is not None:
            msg = f"an instrument of the sandbox failed: {self._failure!r}"
            raise SandboxError(msg)
        options = self._job.options
        sensed = sorted(self._sensed, key=lambda event: event.at)
        return Recording(
            image=self._job.image,
            sensed=tuple(sensed),
            recorded=tuple(completed(sorted(self._recorded, key=lambda event: event.at), sensed, cgroup)),
            cpus=options.cpus,
            slept_s=self._supervisor.sleeps.skipped_s if self._supervisor else 0.0,
            omitted=self._omitted
            + (self._repeated if is_storm(sensed) else 0)
            + self._watcher.overflows
            + (self._sinkhole.omitted if self._sinkhole else 0)
            + (self._supervisor.omitted if self._supervisor else 0),
            output=output or bytes(self._output),
            unread=self._job.unread,
            **facts,
        )

    def _open_sensor(self) -> Sensor:
        root = unified()
        if root is None:
            msg = "no cgroup2 hierarchy is mounted, and without it the sandbox cannot be watched"
            raise SandboxError(msg, hint="mount one: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none $_")
        parent = Parent(root / self._job.name, ParentKind.ALL)
        try:
            return Sensor.open([parent], PINS / self._job.name, [_POLICY], {}, features=_FEATURES)
        except KernelError as error:
            msg = f"the sandbox cannot be watched: {error.what}"
            raise SandboxError(msg, hint=error.hint) from error

    def _start(self, name: str, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001  # told by recording()
                self._failure = error

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _end(self) -> None:
        self._ended.set()
        if self._supervisor is not None:
            self._supervisor.stop()
        if self._sinkhole is not None:
            self._sinkhole.finish()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _record(self, event: RecordedEvent) -> None:
        with self._lock:
            if len(self._recorded) < self._job.options.max_events:
                self._recorded.append(event)
            else:
                self._omitted += 1

    def _follow_sensor(self) -> None:
        poller = select.poll()
        for fd in self._sensor.filenos():
            poller.register(fd, select.POLLIN)
        while True:
            last = self._ended.is_set()
            poller.poll(0 if last else _POLL_MS)
            while events := self._sensor.read(_BATCH):
                self._sensor.acknowledge()
                for event in events:
                    self._sense(event)
                if len(events) < _BATCH:
                    break
            if last:
                self._count_losses()
                return

    def _count_losses(self) -> None:
        for source, count in self._sensor.losses().items():
            if source.endswith(_REPEATED):
                self._repeated += count
            else:
                self._omitted += count

    def _sense(self, event: SensorEvent) -> None:
        if isinstance(event, CgroupEvent | LossEvent):
            return
        if len(self._sensed) < self._job.options.max_events:
            if isinstance(event, ExecEvent):
                event = replace(event, uid=max(0, event.uid - self._job.first_id))  # as the container has it
            self._sensed.append(event)
        else:
            self._omitted += 1

    def _follow_files(self) -> None:
        poller = select.poll()
        poller.register(self._watcher.fd, select.POLLIN)
        while True:
            last = self._ended.is_set()
            poller.poll(0 if last else _POLL_MS)
            while self._watcher.read():
                pass
            if last:
                return

    def _follow_output(self, reader: int) -> None:
        with open(reader, "rb", buffering=0) as stream:
            while data := stream.read(_DRAIN_BYTES):
                room = self._job.options.output_bytes - len(self._output)
                self._output += data[:room]
                if room <= len(data):
                    time.sleep(_PAUSE_S)


def is_storm(sensed: Sequence[SensorEvent]) -> bool:
    """Tell whether executions came so thick that the sensor may have left some out that were not told before.

    It leaves out the same execution again and again, which is no loss, and what is over a container's budget, which is.

    :param sensed: in order of time
    """
    times = [event.at for event in sensed if isinstance(event, ExecEvent)]
    return any(later - first <= 1.0 for first, later in zip(times, times[_BUDGET_A_SECOND - 1 :], strict=False))


def completed(recorded: Sequence[RecordedEvent], sensed: Sequence[SensorEvent], cgroup: int) -> Iterator[RecordedEvent]:
    """Fill in the cgroup, and the name of those that were gone when their name was looked up. Both in order of time."""
    executions = iter([event for event in sensed if isinstance(event, ExecEvent)])
    commands: dict[int, str] = {}
    ahead = next(executions, None)
    for event in recorded:
        while ahead is not None and ahead.at <= event.at:
            commands[ahead.pid] = ahead.command
            ahead = next(executions, None)
        if isinstance(event, ConversationEvent):
            yield event
        else:
            yield replace(event, cgroup=cgroup, command=event.command or commands.get(event.pid, ""))
