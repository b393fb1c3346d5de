"""The structs of ``bpf/include/pratique/wire.h`` that more than one feature needs, as Python writes and reads them."""

import struct
from collections.abc import Sequence
from enum import IntEnum, IntFlag
from typing import Final

from msgspec import Struct

from pratique.model import DriftMode, EgressMode, KernelPolicy

MAX_PARENTS: Final = 4
NAME_BYTES: Final = 64

HEADER: Final = struct.Struct("=QQII")
"""``struct pq_event_header``: at, cgroup, kind, pid"""
SLOT: Final = struct.Struct("=IBBBB")
"""``struct pq_slot``: policy, egress, drift, allow_changed_metadata, rules"""
BINDING: Final = struct.Struct("=II64s")
"""``struct pq_binding``: slot, kind, name"""
CONFIG: Final = struct.Struct("=IIQII")
"""``struct pq_config`` without its parents: generation, default_slot, host_netns, parent_count, unused"""
PARENT: Final = struct.Struct("=QII")
"""``struct pq_parent``: cgroup, level, kind"""
NUMBER: Final = struct.Struct("=I")
"""A slot's number as key or value"""
CGROUP: Final = struct.Struct("=Q")
"""A cgroup's id as key"""

_EGRESS: Final = {EgressMode.LEARN: 0, EgressMode.MONITOR: 1, EgressMode.ENFORCE: 2}
_ISOLATE: Final = 3
_DRIFT: Final = {DriftMode.ALERT: 0, DriftMode.KILL: 1}


class EventKind(IntEnum):
    """``enum pq_event_kind``."""

    CGROUP = 1
    FLOW = 2
    PAYLOAD = 3
    EXEC = 16
    PACKET_SOCKET = 17
    EXEC_REPEATED = 18
    """No event: ordinary executions over the budget, see ``pratique/execution.h``."""
    OPENED = 19


class RuleShape(IntFlag):
    """``enum pq_rule_shape``."""

    PORT = 1
    PROTOCOL = 2
    ANY = 4


class BindingKind(IntEnum):
    """``enum pq_binding_kind``."""

    CONTAINER = 0
    BUILD = 1
    GROUP = 2
    OTHER = 3


class KernelParent(Struct, frozen=True):
    """``struct pq_parent``; ``level`` counts from the root of the hierarchy, which has 0."""

    cgroup: int
    level: int
    named: bool


class KernelConfig(Struct, frozen=True):
    """``struct pq_config``."""

    generation: int
    default_slot: int
    host_netns: int
    parents: tuple[KernelParent, ...]

    def pack(self) -> bytes:
        """Return the bytes; the kernel looks at the deepest parent first."""
        ordered = sorted(self.parents, key=lambda parent: -parent.level)
        head = CONFIG.pack(self.generation, self.default_slot, self.host_netns, len(ordered), 0)
        packed = b"".join(PARENT.pack(parent.cgroup, parent.level, parent.named) for parent in ordered)
        return head + packed.ljust(MAX_PARENTS * PARENT.size, b"\0")


def generation_of(config: bytes) -> int:
    """Return the generation in a ``struct pq_config``."""
    generation: int = NUMBER.unpack_from(config)[0]
    return generation


def pack_slot(policy: KernelPolicy) -> bytes:
    """Return ``struct pq_slot`` of a policy."""
    shapes = {
        RuleShape.PORT if rule.port else RuleShape.ANY if rule.protocol is None else RuleShape.PROTOCOL
        for rule in policy.rules
    }
    egress = _ISOLATE if policy.isolated else _EGRESS[policy.egress]
    drift = _DRIFT[policy.drift]
    return SLOT.pack(policy.id, egress, drift, policy.allow_changed_metadata, sum(shapes))


def pack_ticket_key(container_id: str) -> bytes:
    """Return the key of a container's ticket."""
    return container_id.encode("ascii")


def container_name(kind: int, name: bytes) -> str:
    """Return how the product calls what a binding describes: an id of 64 digits, ``buildkit/<id>``, or a plain name."""
    text = name.split(b"\0", 1)[0].decode(errors="replace")
    if kind == BindingKind.BUILD:
        return f"buildkit/{text.rpartition(':')[2]}"
    return text


def sum_cpus(values: bytes) -> int:
    """Return the sum of a per-CPU u64."""
    counts: Sequence[int] = struct.unpack(f"={len(values) // 8}Q", values)
    return sum(counts)
