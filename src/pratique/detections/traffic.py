"""Rules over traffic. Pure."""

from pratique.detections import pools
from pratique.detections.miners import pool_of, queried_name, stratum_method
from pratique.detections.subject import Subject, raise_alert
from pratique.model import (
    Action,
    Alert,
    Direction,
    FlowEvent,
    FlowVerdict,
    PacketSocketEvent,
    PayloadEvent,
    Protocol,
)

_FAMILIES = {17: "AF_PACKET", 40: "AF_VSOCK", 44: "AF_XDP"}


def judge_flow(event: FlowEvent, subject: Subject) -> list[Alert]:
    """Return the alerts of one flow on its own."""
    if event.direction is not Direction.EGRESS or event.verdict not in {FlowVerdict.DENIED, FlowVerdict.REPORTED}:
        return []
    action = Action.DENIED if event.verdict is FlowVerdict.DENIED else Action.ALERTED
    rules = ["net.egress"]
    if event.protocol is Protocol.TCP and event.port in pools.PORTS:
        rules.append("net.miner-port")
    about = f"{event.protocol} {event.address} {event.port}"
    return [raise_alert(rule, event.at, subject, action, about=about, evidence=flow_evidence(event)) for rule in rules]


def judge_payload(event: PayloadEvent, subject: Subject) -> list[Alert]:
    """Return the alert of how a conversation began."""
    evidence = {"protocol": event.protocol.value, "address": event.address, "port": str(event.port)}
    if event.protocol is Protocol.UDP:
        name = queried_name(event.payload)
        pool = pool_of(name)
        if not pool:
            return []
        rule, about, sign = "net.miner-pool", pool, name
    else:
        sign = stratum_method(event.payload)
        if not sign:
            return []
        rule, about = "net.miner-protocol", f"{event.address} {event.port}"
    return [raise_alert(rule, event.at, subject, Action.ALERTED, about=about, evidence={"sign": sign, **evidence})]


def flow_evidence(event: FlowEvent) -> dict[str, str]:
    """Return what of a flow goes into an alert."""
    return {
        "protocol": event.protocol.value,
        "address": event.address,
        "port": str(event.port),
        "verdict": event.verdict.value,
        "command": event.command,
        "pid": str(event.pid) if event.pid else "",
    }


def judge_packet_socket(event: PacketSocketEvent, subject: Subject) -> list[Alert]:
    """Return the alert of a socket below IP."""
    family = _FAMILIES.get(event.family, f"family {event.family}")
    action = Action.KILLED if event.killed else Action.ALERTED
    evidence = {"family": family, "command": event.command, "pid": str(event.pid)}
    return [raise_alert("net.packet-socket", event.at, subject, action, about=family, evidence=evidence)]
