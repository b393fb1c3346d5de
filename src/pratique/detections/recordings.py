"""Judges what an image did in the sandbox: by the same rules as what a container does live. Pure."""

from collections.abc import Iterable, Iterator
from heapq import merge
from typing import Final

from msgspec import structs

from pratique.detections import pools
from pratique.detections.chronicle import Chronicle
from pratique.detections.detector import Detector
from pratique.detections.rules import RULES
from pratique.detections.subject import Subject, raise_alert
from pratique.model import (
    Action,
    Alert,
    ConversationEvent,
    Direction,
    ExecEvent,
    FlowEvent,
    Protocol,
    RecordedEvent,
    Recording,
    SensorEvent,
    WriteEvent,
)

MAX_ALERTS: Final = 200
"""Different things that are told of one run, the worst first."""
FULL: Final = 0.6
"""So much of its processors, over the whole run, is their limit: used, or waited for since the host has other work."""
SHORTEST_S: Final = 2.0
"""A shorter run has no "all the time"."""
LONG_SLEEP_S: Final = 300.0
_POOL_PORTS: Final = pools.PORTS | {3334, 4444, 5555, 7777, 9999, 10128, 10343, 20128}
"""Of pools and of others: enough together with a processor at its limit, not alone."""
_ORIGINS: Final = frozenset({"exec.drift", "exec.modified", "exec.touched", "exec.library", "exec.volume"})
_CRON: Final = ("cron", "crond", "fcron", "anacron", "supercronic", "cronie")


def judge_recording(recording: Recording) -> list[Alert]:
    """Return the alerts of a run, each different thing once, in order of time.

    Traffic as such is no sin here: there is no allow-list yet, and nothing gets anywhere.
    """
    subject = Subject(image=recording.image.id, image_name=recording.image.name, admitted=True)
    chronicle = Chronicle(subject, recording)
    told: dict[str, Alert] = {}
    times: dict[str, int] = {}
    for alert in _alerts(recording, subject, chronicle):
        told.setdefault(alert.key, alert)
        times[alert.key] = times.get(alert.key, 0) + 1
    found = [_placed(alert, times[alert.key], recording.started_at) for alert in told.values()]
    found = [alert for alert in found if not _is_own_business(alert, chronicle)]
    if recording.slept_s >= LONG_SLEEP_S and any(RULES[alert.rule].condemns for alert in found):
        evidence = {"slept": f"{recording.slept_s:.0f} s"}
        first = min(alert.at for alert in found if RULES[alert.rule].condemns)
        found.append(raise_alert("run.sleeper", first, subject, Action.ALERTED, about="", evidence=evidence))
    worst = sorted(found, key=lambda alert: (not RULES[alert.rule].condemns, -alert.severity.rank, alert.at))
    return sorted(worst[:MAX_ALERTS], key=lambda alert: alert.at)


def _alerts(recording: Recording, subject: Subject, chronicle: Chronicle) -> Iterator[Alert]:
    detector = Detector()
    mined = None
    for event in _in_order(recording.sensed, recording.recorded):
        installed = isinstance(event, WriteEvent) and chronicle.provenance.is_installed(event)
        for alert in () if installed else detector.observe(event, subject):
            if isinstance(event, ExecEvent) and alert.rule in _ORIGINS:
                yield _of_origin(alert, event, subject, chronicle)
            elif not isinstance(event, FlowEvent):
                yield alert
        yield from chronicle.observe(event)
        if mined is None and _is_mining_port(event):
            mined = event
    if mined is not None and _is_busy(recording):
        yield _mining(recording, subject, mined)


def _in_order(
    sensed: Iterable[SensorEvent], recorded: Iterable[RecordedEvent]
) -> Iterable[SensorEvent | RecordedEvent]:
    """Merge both in order of time; of the same moment, what was executed or written comes before what follows."""

    def time(event: SensorEvent | RecordedEvent) -> float:
        return event.at

    return merge(sorted(sensed, key=time), sorted(recorded, key=time), key=time)


def _of_origin(alert: Alert, event: ExecEvent, subject: Subject, chronicle: Chronicle) -> Alert:
    """Return the alert of a foreign program with who brought it, or of one that is honestly made here."""
    if chronicle.provenance.is_made(event):
        return raise_alert(
            "exec.built", event.at, subject, alert.action, about=event.filename, evidence=dict(alert.evidence)
        )
    write = chronicle.provenance.writer(event.filename)
    if write is None:
        return alert
    seen = f"{write.command or 'somebody'} had written it {max(0.0, event.at - write.at):.1f} s before"
    return structs.replace(alert, evidence={**alert.evidence, "seen": seen})


def _is_own_business(alert: Alert, chronicle: Chronicle) -> bool:
    """Tell of a cron table in a container whose business is cron: what its jobs do is judged by itself."""
    return alert.rule == "file.cron" and chronicle.provenance.runs(*_CRON)


def _placed(alert: Alert, times: int, start: float) -> Alert:
    after = {"after": f"{max(0.0, alert.at - start):.1f} s"}
    return structs.replace(alert, evidence={**alert.evidence, **after, **({"times": str(times)} if times > 1 else {})})


def _is_mining_port(event: SensorEvent | RecordedEvent) -> bool:
    match event:
        case FlowEvent(direction=Direction.EGRESS, protocol=Protocol.TCP):
            return event.port in _POOL_PORTS
        case ConversationEvent(protocol=Protocol.TCP):
            return event.port in _POOL_PORTS
        case _:
            return False


def _is_busy(recording: Recording) -> bool:
    whole = recording.cpus * recording.duration_s
    wanted = recording.cpu_s + recording.waited_s
    return recording.duration_s >= SHORTEST_S and whole > 0 and wanted >= FULL * whole


def _mining(recording: Recording, subject: Subject, contact: SensorEvent | RecordedEvent) -> Alert:
    assert isinstance(contact, FlowEvent | ConversationEvent)
    evidence = {
        "processor": f"{recording.cpu_s:.1f} s used, {recording.waited_s:.1f} s waited for, "
        f"in {recording.duration_s:.1f} s",
        "address": contact.address,
        "port": str(contact.port),
    }
    return raise_alert("run.mining", contact.at, subject, Action.ALERTED, about="", evidence=evidence)
