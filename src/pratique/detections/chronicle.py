"""What only the whole of a run tells: one thing after another. Time comes from the events; memory is bounded.

It sees everything that a sandboxed container did from its beginning, so it may conclude what a live sensor, which sees
a part of a life that may be years long, must not.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec import structs

from pratique.detections.intrusions import is_decoder
from pratique.detections.lookups import lookups_of
from pratique.detections.provenance import SKEW_S, Provenance
from pratique.detections.sandboxed import ENGINE_SOCKET
from pratique.detections.scans import ScanWatch
from pratique.detections.shells import SHELLS, is_download, is_interpreter, names, reads_commands
from pratique.detections.subject import Subject, raise_alert
from pratique.detections.traffic import flow_evidence
from pratique.model import (
    Action,
    Alert,
    BaitEvent,
    ConversationEvent,
    Direction,
    ExecEvent,
    ExecFlag,
    FlowEvent,
    FlowVerdict,
    Protocol,
    RecordedEvent,
    Recording,
    SensorEvent,
    Service,
    WriteEvent,
)

MAX_TRACKED: Final = 20_000
"""Processes, files, peers that are remembered; those of the beginning are kept."""
PIPE_S: Final = 2.0
"""Within this time of each other the ends of one pipe are started."""
SWEEP: Final = 20
"""So many different addresses that were never asked for by name, at one port, are a scan wherever they lie."""
_CLOUDS: Final = (
    "amazonaws.com",
    "googleapis.com",
    "azure.com",
    "azure.net",
    "windows.net",
    "metadata.google.internal",
)
_SSH_PORT: Final = 22
_MOST_BAIT: Final = 100
_SOURCES: Final[tuple[tuple[str, Callable[[str, tuple[str, ...]], bool]], ...]] = (
    ("exec.decoded", is_decoder),
    ("exec.piped-download", is_download),
)


class Chronicle:
    """Takes the events of one run in, in order of time; gives the alerts that follow from several of them."""

    def __init__(self, subject: Subject, recording: Recording) -> None:
        """Begin.

        Names, files and bait are known from the whole run: it asked before it talked and wrote before it executed,
        whatever the clocks of the instruments say.
        """
        self._lookups = lookups_of(recording)
        self.provenance = Provenance(recording.sensed, recording.recorded, self._lookups)
        baits = [event for event in recording.recorded if isinstance(event, BaitEvent) and event.bait != ENGINE_SOCKET]
        self._taken = sorted(baits, key=lambda bait: bait.at)[:_MOST_BAIT]
        self._subject = subject
        self._scans = ScanWatch()
        self._sweeps: dict[tuple[Protocol, int], set[str]] = {}
        self._connected: set[int] = set()
        self._ends: deque[ExecEvent] = deque(maxlen=100)

    def observe(self, event: SensorEvent | RecordedEvent) -> list[Alert]:
        """Take one event in; return what it means after what came before it."""
        match event:
            case ExecEvent():
                return self._executed(event)
            case FlowEvent():
                return self._flowed(event)
            case ConversationEvent():
                return self._spoke(event)
            case _:
                pass
        return []

    def _executed(self, event: ExecEvent) -> list[Alert]:
        """Return what an execution means after what came before it."""
        if ExecFlag.LIBRARY in event.flags:
            return []
        alerts = self._piped(event)
        if reads_commands(event.filename, event.arguments) and {event.pid, event.parent} & self._connected:
            alerts.append(self._execution("exec.reverse-shell", event, "it talks to whom its process had connected to"))
        fetched = self._fetched_script(event)
        if fetched is not None:
            seen = f"{fetched.path} was fetched from the network by {fetched.command}"
            alerts.append(self._execution("exec.piped-download", event, seen))
        return alerts

    def _flowed(self, event: FlowEvent) -> list[Alert]:
        """Return the scan that a flow completes. Peers that were asked for by name are none."""
        if event.direction is not Direction.EGRESS:
            return []
        if event.pid and len(self._connected) < MAX_TRACKED:
            self._connected.add(event.pid)
        # To connect UDP sends nothing: resolvers do it to each address that they consider. The sinkhole hears the rest.
        return self._reached(event) if event.protocol is Protocol.TCP else []

    def _reached(self, event: FlowEvent) -> list[Alert]:
        if self._lookups.name_of(event.address):
            return []
        network = self._scans.observe("run", structs.replace(event, verdict=FlowVerdict.REPORTED)) or self._sweep(event)
        if not network:
            return []
        evidence = {"network": network, **flow_evidence(event)}
        return [raise_alert("net.scan", event.at, self._subject, Action.ALERTED, about=network, evidence=evidence)]

    def _spoke(self, event: ConversationEvent) -> list[Alert]:
        """Return what a conversation means after what came before it."""
        if event.service is not Service.DNS:
            return [*self._stolen(event), *(self._reached(_flow(event)) if event.protocol is Protocol.UDP else ())]
        domain = self._lookups.tunnel(event.name)
        if not domain:
            return []
        evidence = {"domain": domain, "name": event.name}
        return [raise_alert("net.dns-tunnel", event.at, self._subject, Action.ALERTED, about=domain, evidence=evidence)]

    def _piped(self, event: ExecEvent) -> list[Alert]:
        """Tell of a pipe that ends in a shell, by its ends: children of one parent, started together."""
        is_shell = reads_commands(event.filename, event.arguments)
        if not is_shell and not any(is_source(event.filename, event.arguments) for _, is_source in _SOURCES):
            return []
        siblings = [
            other
            for other in self._ends
            if other.parent == event.parent and other.pid != event.pid and event.at - other.at <= PIPE_S
        ]
        self._ends.append(event)
        shells = [event] if is_shell else [end for end in siblings if reads_commands(end.filename, end.arguments)]
        sources = siblings if is_shell else [event]
        return [
            self._execution(rule, shells[0], f"its input is the output of {' '.join(source.arguments)}")
            for rule, is_source in _SOURCES
            for source in sources
            if shells and is_source(source.filename, source.arguments)
        ]

    def _fetched_script(self, event: ExecEvent) -> WriteEvent | None:
        called = names(event.filename, event.arguments)
        if not (called & SHELLS or is_interpreter(called)):
            return None
        found = (self.provenance.fetched(argument, event.at) for argument in event.arguments[1:4])
        return next((write for write in found if write is not None), None)

    def _sweep(self, event: FlowEvent) -> str:
        port = (event.protocol, event.port)
        if port not in self._sweeps and len(self._sweeps) >= MAX_TRACKED:
            return ""
        addresses = self._sweeps.setdefault(port, set())
        if len(addresses) >= SWEEP:
            return ""
        addresses.add(event.address)
        return f"{SWEEP} addresses, {event.protocol} port {event.port}" if len(addresses) == SWEEP else ""

    def _stolen(self, event: ConversationEvent) -> list[Alert]:
        """Tell of data that go out after a secret was read, unless they go where the secret belongs."""
        if not event.payload:
            return []
        name = self._lookups.name_of(event.address) or event.name.lower()
        for bait in self._taken:
            if bait.at <= event.at + SKEW_S and not _belongs(bait.bait, name, event.port):
                evidence = {
                    "bait": bait.bait,
                    "file": bait.path,
                    "command": bait.command,
                    "to": f"{event.protocol} {name or event.address} {event.port}",
                    "request": event.request,
                }
                return [
                    raise_alert(
                        "bait.sent", event.at, self._subject, Action.ALERTED, about=bait.path, evidence=evidence
                    )
                ]
        return []

    def _execution(self, rule: str, event: ExecEvent, seen: str) -> Alert:
        evidence = {"file": event.filename, "arguments": " ".join(event.arguments), "seen": seen}
        return raise_alert(rule, event.at, self._subject, Action.ALERTED, about=event.filename, evidence=evidence)


def _flow(event: ConversationEvent) -> FlowEvent:
    verdict = FlowVerdict.REPORTED
    return FlowEvent(event.at, 0, 0, Direction.EGRESS, event.protocol, event.address, event.port, verdict)


def _belongs(bait: str, name: str, port: int) -> bool:
    if bait == "ssh-key":
        return port == _SSH_PORT
    return bait == "cloud-key" and any(name == cloud or name.endswith(f".{cloud}") for cloud in _CLOUDS)
