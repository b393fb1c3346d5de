"""The values that flow between rooms.

In: nothing. Out: frozen structs that compare by content. Never: does I/O, knows who made a value or why.
Times are seconds since the epoch as float; addresses are the strings of :mod:`ipaddress`; sizes are bytes.
"""

from pratique.model.alert import Action, Alert, Technique
from pratique.model.container import Container, Mount, Network, PublishedPort
from pratique.model.decision import Decision, Verdict
from pratique.model.detonation import DETONATION_VERSION, Behaviour, Detonation, WantedPeer
from pratique.model.enforcement import DriftMode, EgressMode, EgressRule, KernelPolicy
from pratique.model.event import (
    CgroupEvent,
    ExecEvent,
    ExecFlag,
    LossEvent,
    OpenedEvent,
    PacketSocketEvent,
    PayloadEvent,
    SensorEvent,
)
from pratique.model.finding import Finding, FindingKind, Severity
from pratique.model.flow import Direction, Flow, FlowEvent, FlowVerdict, Protocol
from pratique.model.identity import ImageId, ImageIdentity
from pratique.model.package import ImageCode, Package, PackageCode
from pratique.model.plan import Plan, PlanState, Skipped, Step, StepState, SwapMode
from pratique.model.program import ImagePrograms, Program
from pratique.model.recording import (
    BaitEvent,
    ConversationEvent,
    Ending,
    PrivilegeEvent,
    RecordedEvent,
    Recording,
    Service,
    WriteEvent,
)
from pratique.model.report import REPORT_VERSION, Report, Unread

__all__ = [
    "DETONATION_VERSION",
    "REPORT_VERSION",
    "Action",
    "Alert",
    "BaitEvent",
    "Behaviour",
    "CgroupEvent",
    "Container",
    "ConversationEvent",
    "Decision",
    "Detonation",
    "Direction",
    "DriftMode",
    "EgressMode",
    "EgressRule",
    "Ending",
    "ExecEvent",
    "ExecFlag",
    "Finding",
    "FindingKind",
    "Flow",
    "FlowEvent",
    "FlowVerdict",
    "ImageCode",
    "ImageId",
    "ImageIdentity",
    "ImagePrograms",
    "KernelPolicy",
    "LossEvent",
    "Mount",
    "Network",
    "OpenedEvent",
    "Package",
    "PackageCode",
    "PacketSocketEvent",
    "PayloadEvent",
    "Plan",
    "PlanState",
    "PrivilegeEvent",
    "Program",
    "Protocol",
    "PublishedPort",
    "RecordedEvent",
    "Recording",
    "Report",
    "SensorEvent",
    "Service",
    "Severity",
    "Skipped",
    "Step",
    "StepState",
    "SwapMode",
    "Technique",
    "Unread",
    "Verdict",
    "WantedPeer",
    "WriteEvent",
]
