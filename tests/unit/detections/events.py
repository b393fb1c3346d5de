"""Events and subjects that the tests of the detections put in."""

from typing import Any

from pratique.detections import Subject
from pratique.model import (
    BaitEvent,
    ConversationEvent,
    Decision,
    Direction,
    Ending,
    ExecEvent,
    ExecFlag,
    FlowEvent,
    FlowVerdict,
    ImageId,
    ImageIdentity,
    PacketSocketEvent,
    PayloadEvent,
    PrivilegeEvent,
    Protocol,
    RecordedEvent,
    Recording,
    SensorEvent,
    Service,
    Verdict,
    WriteEvent,
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
    *arguments: str,
    file: str = "",
    flags: ExecFlag = ExecFlag.LOWER,
    at: float = 100.0,
    interpreter: str = "",
    pid: int = 42,
    parent: int = 1,
) -> ExecEvent:
    return ExecEvent(
        at=at,
        cgroup=1,
        pid=pid,
        parent=parent,
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
    pid: int = 42,
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
        pid=pid,
        command="curl",
    )


def payload(content: bytes, *, protocol: Protocol = Protocol.TCP, port: int = 3333, at: float = 100.0) -> PayloadEvent:
    return PayloadEvent(at=at, cgroup=1, protocol=protocol, address="203.0.113.7", port=port, payload=content[:128])


def packet_socket(family: int = 17, *, killed: bool = True) -> PacketSocketEvent:
    return PacketSocketEvent(at=100.0, cgroup=1, pid=42, family=family, command="tcpdump", killed=killed)


def write(path: str, *, command: str = "sh", pid: int = 42, at: float = 100.0) -> WriteEvent:
    return WriteEvent(at=at, cgroup=1, pid=pid, command=command, path=path)


def bait(kind: str = "cloud-key", path: str = "/root/.aws/credentials", *, at: float = 100.0) -> BaitEvent:
    return BaitEvent(at=at, cgroup=1, pid=42, command="cat", bait=kind, path=path)


def privilege(call: str, argument: str = "") -> PrivilegeEvent:
    return PrivilegeEvent(at=100.0, cgroup=1, pid=42, command="sh", call=call, argument=argument)


def conversation(
    service: Service = Service.TCP,
    *,
    address: str = "203.0.113.7",
    port: int = 443,
    protocol: Protocol = Protocol.TCP,
    name: str = "",
    request: str = "",
    content: bytes = b"",
    at: float = 100.0,
) -> ConversationEvent:
    return ConversationEvent(at, service, protocol, address, port, name, request, content)


def lookup(name: str, address: str = "198.18.0.7", *, at: float = 100.0) -> ConversationEvent:
    return conversation(
        Service.DNS, protocol=Protocol.UDP, address="198.18.0.1", port=53, name=name, request=f"A {address}", at=at
    )


def recording(*happened: SensorEvent | RecordedEvent, **more: Any) -> Recording:
    sensed = tuple(event for event in happened if isinstance(event, SensorEvent))
    recorded = tuple(event for event in happened if isinstance(event, RecordedEvent))
    image = ImageIdentity(ImageId("sha256:" + "a" * 64), references=("evil:latest",))
    facts: dict[str, Any] = {
        "started_at": 90.0,
        "duration_s": 20.0,
        "command": ("/bin/sh",),
        "ending": Ending.TIME,
        "cpus": 1.0,
        **more,
    }
    return Recording(image, sensed=sensed, recorded=recorded, **facts)


def decision(rule: str, verdict: Verdict = Verdict.DENY, subject: str = "create shop/checkout:1") -> Decision:
    return Decision(at=100.0, verdict=verdict, rule=rule, subject=subject, reason="because", source="uid 0")


def question(name: str, *, flags: int = 0x0100, count: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    header = b"\x12\x34" + flags.to_bytes(2, "big") + count.to_bytes(2, "big") + b"\x00" * 6
    return header + labels + b"\x00\x00\x01\x00\x01"
