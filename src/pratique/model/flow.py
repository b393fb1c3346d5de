"""Who talked to whom."""

from enum import StrEnum

from msgspec import Struct


class Protocol(StrEnum):
    """The transport of a flow; ``icmp`` stands for ICMP and ICMPv6, ``raw`` for any other IP protocol."""

    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"
    RAW = "raw"


class Direction(StrEnum):
    """Seen from the container."""

    EGRESS = "egress"
    INGRESS = "ingress"


class FlowVerdict(StrEnum):
    """What the kernel did with it."""

    ALLOWED = "allowed"
    LEARNT = "learnt"
    """Let through because the policy is in mode ``learn``."""
    REPORTED = "reported"
    """Against the policy, but its mode is ``monitor``."""
    DENIED = "denied"


class FlowEvent(Struct, frozen=True, tag=True):
    """A tuple that the kernel has not seen before, or a refused attempt (rate limited per tuple)."""

    at: float
    cgroup: int
    policy: int
    direction: Direction
    protocol: Protocol
    address: str
    port: int
    """Egress: the peer's port. Ingress: the container's own. ICMP: the type. Raw: the IP protocol number."""
    verdict: FlowVerdict
    pid: int = 0
    command: str = ""
    """The kernel's ``comm`` of the task, at most 15 bytes."""


class Flow(Struct, frozen=True):
    """All traffic of one container with one peer, added up."""

    container: str
    image: str
    direction: Direction
    protocol: Protocol
    address: str
    port: int
    verdict: FlowVerdict
    packets: int
    bytes: int
    first_seen: float
    last_seen: float
    command: str = ""
