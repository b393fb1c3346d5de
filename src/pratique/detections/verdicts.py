"""From a run and its alerts to a verdict, a proposed allow-list and a profile of processes. Pure."""

import ipaddress
from collections import Counter
from typing import Final

from pratique.detections.lookups import Lookups, lookups_of
from pratique.detections.rules import RULES
from pratique.model import (
    Alert,
    Behaviour,
    ConversationEvent,
    Detonation,
    Direction,
    Ending,
    ExecEvent,
    ExecFlag,
    Finding,
    FindingKind,
    FlowEvent,
    LossEvent,
    Protocol,
    Recording,
    Service,
    WantedPeer,
)
from pratique.text import printable

MAX_PEERS: Final = 1000
MAX_PROGRAMS: Final = 1000
MAX_EVIDENCE: Final = 600
_NOTHING_S: Final = 1.0
"""Whoever ends sooner, silently and without having done anything, was not seen."""
_FIRST: Final = ("arguments", "file", "name", "call", "network", "sign", "seen")
"""What of the evidence tells most, in this order."""
_PRIVATE: Final = frozenset({"policy", "pid", "uid", "interpreter", "parent", "verdict", "service"})
"""What of the evidence tells nothing once the run is over."""


def conclude(recording: Recording, alerts: list[Alert]) -> Detonation:
    """Return the document of a run.

    :param alerts: what :func:`~pratique.detections.judge_recording` says of it
    """
    verdict, reason = _verdict(recording, alerts)
    worst = sorted(alerts, key=lambda alert: (not RULES[alert.rule].condemns, -alert.severity.rank, alert.at))
    return Detonation(
        image=recording.image,
        detonated_at=recording.started_at,
        duration_s=recording.duration_s,
        command=tuple(printable(word) for word in recording.command),
        verdict=verdict,
        reason=reason,
        findings=tuple(_finding(alert) for alert in worst),
        peers=_peers(recording),
        programs=_programs(recording),
        cpu_s=recording.cpu_s,
        slept_s=recording.slept_s,
        omitted=recording.omitted,
    )


def _verdict(recording: Recording, alerts: list[Alert]) -> tuple[Behaviour, str]:
    condemning = [alert for alert in alerts if RULES[alert.rule].condemns]
    if condemning:
        worst = min(condemning, key=lambda alert: (-alert.severity.rank, alert.at))
        rules = len({alert.rule for alert in condemning})
        more = f"; and {rules - 1} more" if rules > 1 else ""
        return Behaviour.BAD, f"{worst.title} ({worst.rule}){more}"
    doubt = _doubt(recording)
    if doubt:
        return Behaviour.UNCLEAR, doubt
    told = f", {len(alerts)} things to know" if len(alerts) > 1 else ", one thing to know" if alerts else ""
    return Behaviour.CLEAN, f"nothing that condemns it in {recording.duration_s:.0f} s{told}"


def _doubt(recording: Recording) -> str:
    """Return why nothing bad having been seen says nothing, or ``""``."""
    said = printable(recording.output[:160].decode("utf-8", "replace").strip().rpartition("\n")[2])
    quoted = f"; it said: {said}" if said else ""
    match recording.ending:
        case Ending.FAILED:
            return f"it could not be started{quoted}"
        case Ending.MEMORY:
            return f"it ran out of memory after {recording.duration_s:.1f} s, so its end was not seen"
        case Ending.EXITED if recording.exit_code:
            return f"it gave up after {recording.duration_s:.1f} s with exit code {recording.exit_code}{quoted}"
        case Ending.EXITED if recording.duration_s < _NOTHING_S and _did_nothing(recording):
            return f"it ended after {recording.duration_s:.1f} s and did nothing"
    return _missing(recording)


def _missing(recording: Recording) -> str:
    """Return what there was to see and was not seen, or ``""``."""
    if recording.unread:
        first = recording.unread[0]
        return printable(
            f"it ran without {len(recording.unread)} parts of its image, first {first.path}: {first.reason}"
        )
    lost = recording.omitted + sum(event.count for event in recording.sensed if isinstance(event, LossEvent))
    return f"{lost} events were lost, so not all was seen" if lost else ""


def _did_nothing(recording: Recording) -> bool:
    executed = sum(isinstance(event, ExecEvent) for event in recording.sensed)
    return executed <= 1 and not recording.recorded and not recording.output.strip()


def _finding(alert: Alert) -> Finding:
    evidence = {name: value for name, value in alert.evidence.items() if name not in _PRIVATE}
    ordered = sorted(evidence, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    seen = "; ".join(f"{name} {evidence[name]}" for name in ordered)
    return Finding(
        kind=FindingKind.BEHAVIOUR,
        rule=alert.rule,
        severity=alert.severity,
        title=alert.title,
        path=printable(alert.evidence.get("file", "")).removeprefix("/"),
        evidence=printable(seen)[:MAX_EVIDENCE],
    )


def _peers(recording: Recording) -> tuple[WantedPeer, ...]:
    """Return whom it wanted to talk to; the questions to the resolver are for its names and no peers of its own."""
    lookups = lookups_of(recording)
    wanted: Counter[tuple[str, Protocol, int]] = Counter()
    resolvers = {
        (event.address, event.port)
        for event in recording.recorded
        if isinstance(event, ConversationEvent) and event.service is Service.DNS
    }
    for event in (*recording.sensed, *recording.recorded):
        peer = _peer(event, lookups, resolvers)
        if peer is not None and (peer in wanted or len(wanted) < MAX_PEERS):
            wanted[peer] += isinstance(event, ConversationEvent)
    return tuple(WantedPeer(*peer, times=max(1, times)) for peer, times in sorted(wanted.items()))


def _peer(event: object, lookups: Lookups, resolvers: set[tuple[str, int]]) -> tuple[str, Protocol, int] | None:
    match event:
        case FlowEvent(direction=Direction.EGRESS, protocol=Protocol.UDP):
            return None  # to connect UDP sends nothing; what was sent, the sinkhole heard
        case FlowEvent(direction=Direction.EGRESS) | ConversationEvent():
            if (event.address, event.port) in resolvers or _is_own(event.address):
                return None
            name = lookups.name_of(event.address)
            return (printable(name) or event.address, event.protocol, event.port)
        case _:
            return None


def _is_own(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return True


def _programs(recording: Recording) -> tuple[str, ...]:
    paths = {
        printable(path)
        for event in recording.sensed
        if isinstance(event, ExecEvent) and ExecFlag.LIBRARY not in event.flags
        for path in (event.filename, event.interpreter)
        if path.startswith("/") and not path.startswith("/proc/")
    }
    return tuple(sorted(paths)[:MAX_PROGRAMS])
