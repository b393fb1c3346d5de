"""The rules over what happens, one event at a time."""

from pratique.detections.decisions import judge_decision
from pratique.detections.executions import judge_execution
from pratique.detections.sandboxed import judge_recorded
from pratique.detections.scans import ScanWatch
from pratique.detections.subject import Subject, raise_alert
from pratique.detections.traffic import flow_evidence, judge_flow, judge_packet_socket, judge_payload
from pratique.model import (
    Action,
    Alert,
    BaitEvent,
    CgroupEvent,
    ConversationEvent,
    Decision,
    ExecEvent,
    FlowEvent,
    FlowVerdict,
    LossEvent,
    OpenedEvent,
    PacketSocketEvent,
    PayloadEvent,
    PrivilegeEvent,
    RecordedEvent,
    SensorEvent,
    WriteEvent,
)


class Detector:
    """Takes events in, gives alerts out. Its memory is bounded, and its only clock is the time in the events."""

    def __init__(self) -> None:
        self._scans = ScanWatch()

    def observe(self, event: SensorEvent | RecordedEvent, subject: Subject) -> list[Alert]:
        """Return the alerts of an event of the sensor or of the sandbox's instruments.

        :param subject: the container or build step that it comes from
        """
        match event:
            case ExecEvent():
                return judge_execution(event, subject)
            case FlowEvent():
                return self._judge_flow(event, subject)
            case PacketSocketEvent():
                return judge_packet_socket(event, subject)
            case PayloadEvent():
                return judge_payload(event, subject)
            case WriteEvent() | BaitEvent() | PrivilegeEvent() | ConversationEvent():
                return judge_recorded(event, subject)
            case LossEvent() | CgroupEvent() | OpenedEvent():
                return []

    def decided(self, decision: Decision) -> list[Alert]:
        """Return the alerts of a decision of the guard."""
        return judge_decision(decision)

    def _judge_flow(self, event: FlowEvent, subject: Subject) -> list[Alert]:
        """Judge a flow on its own and as one of many: the scan of a subnet is one alert that counts, not hundreds."""
        alerts = judge_flow(event, subject)
        goes_on = self._scans.continues(subject.key, event) if alerts else ""
        network = goes_on or self._scans.observe(subject.key, event)
        if not network:
            return alerts
        action = Action.DENIED if event.verdict is FlowVerdict.DENIED else Action.ALERTED
        evidence = {"network": network, **flow_evidence(event)}
        scan = raise_alert("net.scan", event.at, subject, action, about=network, evidence=evidence)
        return [scan, *(alert for alert in alerts if not goes_on or alert.rule != "net.egress")]
