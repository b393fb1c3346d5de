"""Events and subjects that the tests of the detections put in."""

from pratique.detections import Subject
from pratique.model import (
    Decision,
    Direction,
    ExecEvent,
    ExecFlag,
    FlowEvent,
    FlowVerdict,
    PacketSocketEvent,
    PayloadEvent,
    Protocol,
    Verdict,
)

SUBJECT = Subject(
    image="sha256:" + "a" * 64,
    image_name="shop/checkout:1",
    container="c" * 64,
    container_name="checkout-1",
    admitted=True,
    policy="shop/checkout",
)
BUILD = Subject(container="buildkit/abc", container_name="build step", build=True)


def execution(
    *arguments: str, file: str = "", flags: ExecFlag = ExecFlag.LOWER, at: float = 100.0, interpreter: str = ""
) -> ExecEvent:
    return ExecEvent(
        at=at,
        cgroup=1,
        pid=42,
        parent=1,
        uid=0,
        filename=file or (arguments[0] if arguments else "/bin/true"),
        interpreter=interpreter,
        arguments=arguments,
        command="sh",
        parent_command="python3",
        flags=flags,
    )


def flow(
    address: str = "203.0.113.7",
    port: int = 443,
    *,
    verdict: FlowVerdict = FlowVerdict.DENIED,
    at: float = 100.0,
    protocol: Protocol = Protocol.TCP,
    direction: Direction = Direction.EGRESS,
) -> FlowEvent:
    return FlowEvent(
        at=at,
        cgroup=1,
        policy=1,
        direction=direction,
        protocol=protocol,
        address=address,
        port=port,
        verdict=verdict,
        pid=42,
        command="curl",
    )


def payload(content: bytes, *, protocol: Protocol = Protocol.TCP, port: int = 3333, at: float = 100.0) -> PayloadEvent:
    return PayloadEvent(at=at, cgroup=1, protocol=protocol, address="203.0.113.7", port=port, payload=content[:128])


def packet_socket(family: int = 17, *, killed: bool = True) -> PacketSocketEvent:
    return PacketSocketEvent(at=100.0, cgroup=1, pid=42, family=family, command="tcpdump", killed=killed)


def decision(rule: str, verdict: Verdict = Verdict.DENY, subject: str = "create shop/checkout:1") -> Decision:
    return Decision(at=100.0, verdict=verdict, rule=rule, subject=subject, reason="because", source="uid 0")


def question(name: str, *, flags: int = 0x0100, count: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    header = b"\x12\x34" + flags.to_bytes(2, "big") + count.to_bytes(2, "big") + b"\x00" * 6
    return header + labels + b"\x00\x00\x01\x00\x01"
