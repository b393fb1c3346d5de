"""Who containers talk to: feature ``egress``. The kernel judges packets and adds flows up; this reads and writes."""

import ipaddress
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final

from msgspec import Struct

from pratique.model import (
    CgroupEvent,
    Direction,
    EgressRule,
    FlowEvent,
    FlowVerdict,
    KernelPolicy,
    PayloadEvent,
    Protocol,
)
from pratique.sensor.feature import Feature
from pratique.sensor.maps import Map
from pratique.sensor.wire import HEADER, EventKind, container_name

RULE_KEY: Final = struct.Struct("=IIHBB16s")
"""``struct pq_rule_key``: prefixlen, slot, port, protocol, family, address"""
RULE_FIXED_BITS: Final = 64
FLOW_KEY: Final = struct.Struct("=QIHBBBB6x16s")
"""``struct pq_flow_key``: cgroup, policy, port, protocol, family, direction, verdict, address"""
FLOW_VALUE: Final = struct.Struct("=QQQQQ16s")
"""``struct pq_flow_value``: packets, bytes, first, last, told, command"""
_LAST: Final = struct.Struct("=Q")
_LAST_OFFSET: Final = 24
CGROUP_EVENT: Final = struct.Struct("=QQIIIIII64s")
"""``struct pq_cgroup_event``: header, created, slot, kind, unused, name"""
FLOW_EVENT_SIZE: Final = HEADER.size + FLOW_KEY.size + 16
PAYLOAD_EVENT: Final = struct.Struct("=QQII16sHBBI")
"""``struct pq_payload_event`` up to its payload: header, address, port, protocol, family, length"""
PAYLOAD_BYTES: Final = 128

_NUMBERS: Final = {Protocol.ICMP: 1, Protocol.TCP: 6, Protocol.UDP: 17, Protocol.RAW: 255}
_PROTOCOLS: Final = {number: protocol for protocol, number in _NUMBERS.items()}
_DIRECTIONS: Final = (Direction.EGRESS, Direction.INGRESS)
_VERDICTS: Final = (FlowVerdict.ALLOWED, FlowVerdict.LEARNT, FlowVerdict.REPORTED, FlowVerdict.DENIED)


class FlowCounter(Struct, frozen=True):
    """One tuple as the kernel added it up since it first saw it.

    Egress counts what was sent (for refusals: the attempts); ingress what was received and what was answered.
    """

    cgroup: int
    policy: int
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


class Egress(Feature):
    """Egress control and the account of flows; also tells of cgroups."""

    name: ClassVar[str] = "egress"
    rings: ClassVar[tuple[str, ...]] = ("pq_cgroups", "pq_events")

    def decode(self, record: bytes, offset: float) -> CgroupEvent | FlowEvent | PayloadEvent | None:
        """Return the event in a record."""
        if len(record) < HEADER.size:
            return None
        decoder = _DECODERS.get(HEADER.unpack_from(record)[2])
        return decoder(record, offset) if decoder else None

    def fill(self, maps: Mapping[str, Map], slots: Mapping[int, KernelPolicy]) -> None:
        """Write the rules of new slots."""
        maps["pq_rules"].update(
            {pack_rule(slot, rule): b"\1" for slot, policy in slots.items() for rule in policy.rules}
        )

    def clear(self, maps: Mapping[str, Map], slots: Sequence[int]) -> None:
        """Remove the rules of slots."""
        gone = frozenset(slots)
        rules = maps["pq_rules"]
        rules.delete_many([key for key, _ in rules.items() if RULE_KEY.unpack(key)[1] in gone])


def read_flows(maps: Mapping[str, Map], offset: float, since: float) -> list[FlowCounter]:
    """Return the flows that the kernel remembers.

    :param offset: see :meth:`Feature.decode`
    :param since: only those in which something happened at this time or later
    """
    counters = []
    earliest = max(since - offset, 0.0) * 1e9
    for key, value in maps["pq_flows"].items():
        if _LAST.unpack_from(value, _LAST_OFFSET)[0] < earliest:
            continue
        flow = _unpack_flow(key)
        if flow is None:
            continue
        packets, size, first, last, _, command = FLOW_VALUE.unpack(value)
        cgroup, policy, direction, protocol, address, port, verdict = flow
        counters.append(
            FlowCounter(
                cgroup=cgroup,
                policy=policy,
                direction=direction,
                protocol=protocol,
                address=address,
                port=port,
                verdict=verdict,
                packets=packets,
                bytes=size,
                first_seen=first / 1e9 + offset,
                last_seen=last / 1e9 + offset,
                command=_text(command),
            )
        )
    return counters


def pack_rule(slot: int, rule: EgressRule) -> bytes:
    """Return ``struct pq_rule_key`` of a rule; a bit past the family's address length would never match."""
    network = ipaddress.ip_network(rule.network)
    number = _NUMBERS[rule.protocol] if rule.protocol is not None else 0
    length = RULE_FIXED_BITS + network.prefixlen
    return RULE_KEY.pack(length, slot, rule.port, number, network.version, network.network_address.packed)


def _decode_cgroup(record: bytes, offset: float) -> CgroupEvent | None:
    if len(record) < CGROUP_EVENT.size:
        return None
    at, cgroup, _, _, created, _, kind, _, name = CGROUP_EVENT.unpack_from(record)
    return CgroupEvent(at / 1e9 + offset, cgroup, container_name(kind, name), bool(created))


def _decode_flow(record: bytes, offset: float) -> FlowEvent | None:
    if len(record) < FLOW_EVENT_SIZE:
        return None
    at, _, _, pid = HEADER.unpack_from(record)
    flow = _unpack_flow(record[HEADER.size : HEADER.size + FLOW_KEY.size])
    if flow is None:
        return None
    command = record[HEADER.size + FLOW_KEY.size : FLOW_EVENT_SIZE]
    return FlowEvent(at / 1e9 + offset, *flow, pid, _text(command))


def _decode_payload(record: bytes, offset: float) -> PayloadEvent | None:
    if len(record) < PAYLOAD_EVENT.size + PAYLOAD_BYTES:
        return None
    at, cgroup, _, _, raw, port, number, family, length = PAYLOAD_EVENT.unpack_from(record)
    address, protocol = _address(family, raw), _PROTOCOLS.get(number)
    if address is None or protocol is None:
        return None
    payload = record[PAYLOAD_EVENT.size : PAYLOAD_EVENT.size + min(length, PAYLOAD_BYTES)]
    return PayloadEvent(at / 1e9 + offset, cgroup, protocol, address, port, payload)


_DECODERS: Final[dict[int, Callable[[bytes, float], CgroupEvent | FlowEvent | PayloadEvent | None]]] = {
    EventKind.CGROUP: _decode_cgroup,
    EventKind.FLOW: _decode_flow,
    EventKind.PAYLOAD: _decode_payload,
}

_Flow = tuple[int, int, Direction, Protocol, str, int, FlowVerdict]


def _unpack_flow(key: bytes) -> _Flow | None:
    """Return cgroup, policy, direction, protocol, address, port and verdict, or None for what cannot be."""
    cgroup, policy, port, number, family, direction, verdict, raw = FLOW_KEY.unpack(key)
    address, protocol = _address(family, raw), _PROTOCOLS.get(number)
    if address is None or protocol is None or direction >= len(_DIRECTIONS) or verdict >= len(_VERDICTS):
        return None
    return cgroup, policy, _DIRECTIONS[direction], protocol, address, port, _VERDICTS[verdict]


def _address(family: int, raw: bytes) -> str | None:
    if family == 4:
        return socket.inet_ntop(socket.AF_INET, raw[:4])
    if family != 6:
        return None
    text = socket.inet_ntop(socket.AF_INET6, raw)
    return str(ipaddress.IPv6Address(raw)) if "." in text else text  # the one form in which they differ


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode(errors="replace")
