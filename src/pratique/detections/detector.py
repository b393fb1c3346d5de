"""The rules over what happens, one event at a time."""

from pratique.detections.decisions import judge_decision
from pratique.detections.executions import judge_execution
from pratique.detections.scans import ScanWatch
from pratique.detections.subject import Subject, raise_alert
from pratique.detections.traffic import flow_evidence, judge_flow, judge_packet_socket, judge_payload
from pratique.model import (
    Action,
    Alert,
    CgroupEvent,
    Decision,
    ExecEvent,
    FlowEvent,
    FlowVerdict,
    LossEvent,
    PacketSocketEvent,
    PayloadEvent,
    SensorEvent,
)


class Detector:
    """Takes events in, gives alerts out. Its memory is bounded, and its only clock is the time in the events."""

    def __init__(self) -> None:
        self._scans = ScanWatch()

    def observe(self, event: SensorEvent, subject: Subject) -> list[Alert]:
        """Return the alerts of a sensor event.

        :param subject: the container or build step that it comes from
        """
        match event:
            case ExecEvent():
                return judge_execution(event, subject)
            case FlowEvent():
                return judge_flow(event, subject) + self._scan(event, subject)
            case PacketSocketEvent():
                return judge_packet_socket(event, subject)
            case PayloadEvent():
                return judge_payload(event, subject)
            case LossEvent() | CgroupEvent():
                return []

    def decided(self, decision: Decision) -> list[Alert]:
        """Return the alerts of a decision of the guard."""
        return judge_decision(decision)

    def _scan(self, event: FlowEvent, subject: Subject) -> list[Alert]:
        network = self._scans.observe(subject.key, event)
        if not network:
            return []
        action = Action.DENIED if event.verdict is FlowVerdict.DENIED else Action.ALERTED
        evidence = {"network": network, **flow_evidence(event)}
        return [raise_alert("net.scan", event.at, subject, action, about=network, evidence=evidence)]
