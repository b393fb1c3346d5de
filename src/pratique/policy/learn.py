"""From the traffic that was seen to an allow-list. Pure."""

import ipaddress
import math
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from pratique.model import Direction, EgressMode, Flow, FlowVerdict, Protocol
from pratique.policy.document import MAX_RULES_PER_IMAGE, Allow, Document, ImagePolicy

_EPHEMERAL_FROM: Final = 32768
"""Linux's own ports for clients begin here (``net.ipv4.ip_local_port_range``)."""
_ICMP_ANSWERS: Final = {4: {0, 3, 4, 11, 12}, 6: {1, 2, 3, 4, 129, 133, 134, 135, 136, 137}}
"""Errors, echo replies and neighbour discovery: the kernel's own, not the program's wish."""
_MAX_COMMANDS: Final = 5
_LINK_LOCAL_GROUPS: Final = (ipaddress.ip_network("224.0.0.0/24"), ipaddress.ip_network("ff02::/16"))


class Lesson(Struct, frozen=True):
    """What was learnt."""

    document: Document
    added: int
    """New rules."""
    known: int
    """Peers that the policy allowed already."""
    ignored: int
    """Answers and noise, refused flows, and flows of containers under suspicion."""
    suspected: tuple[str, ...] = ()
    """Images of which a container is under suspicion; their mode stays as it was."""


def learn(
    document: Document,
    flows: Iterable[Flow],
    images: Mapping[str, str],
    *,
    suspects: Collection[str] = (),
    include_denied: bool = False,
) -> Lesson:
    """Merge the traffic that was seen into a policy.

    Every image of ``images`` gets an entry in mode ``enforce`` with the peers that it talked to; rules that are
    there stay. Addresses stay addresses: a wider rule is for a person to write.

    :param images: image id → name of the images whose containers were watched
    :param suspects: ids of containers from which nothing is learnt
    :param include_denied: learn from refused traffic too
    """
    entry_of = {image_id: entry for entry in document.images for image_id in entry.ids}
    for image_id, name in sorted(images.items(), key=lambda item: (item[1], item[0])):
        entry_of.setdefault(image_id, ImagePolicy(name=name, ids=(image_id,)))
    lessons: dict[tuple[tuple[str, ...], _Peer], _Seen] = {}
    suspected, ignored = set(), 0
    for flow in flows:
        if flow.image not in images or not _is_lesson(flow, suspects, include_denied):
            ignored += 1
            if flow.container in suspects:
                suspected.add(flow.image)
            continue
        peer = _Peer(_address(flow), flow.protocol, flow.port)
        lessons.setdefault((entry_of[flow.image].ids, peer), _Seen()).add(flow)
    entries, added = [], 0
    for entry in {entry.ids: entry for entry in entry_of.values()}.values():
        rules = _new_rules(entry, {peer: seen for (ids, peer), seen in lessons.items() if ids == entry.ids})
        added += len(rules)
        watched = any(image_id in images and image_id not in suspected for image_id in entry.ids)
        mode = EgressMode.ENFORCE if watched else entry.egress
        entries.append(replace(entry, allow=(*entry.allow, *rules), egress=mode))
    return Lesson(
        document=replace(document, images=tuple(entries)),
        added=added,
        known=len(lessons) - added,
        ignored=ignored,
        suspected=tuple(sorted(suspected)),
    )


class _Peer(NamedTuple):
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    protocol: Protocol
    port: int

    @property
    def order(self) -> tuple[str, int, int, int]:
        return self.protocol.value, self.address.version, int(self.address), self.port


class _Seen:
    """What is told about a peer, added up over the containers of an image."""

    def __init__(self) -> None:
        self.packets = 0
        self.first, self.last = math.inf, -math.inf
        self.commands: set[str] = set()

    def add(self, flow: Flow) -> None:
        self.packets += flow.packets
        self.first, self.last = min(self.first, flow.first_seen), max(self.last, flow.last_seen)
        self.commands |= {flow.command} - {""}

    @property
    def note(self) -> str:
        first, last = (f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}" for at in (self.first, self.last))
        when = first if first == last else f"{first} to {last}"
        by = f", by {', '.join(sorted(self.commands)[:_MAX_COMMANDS])}" if self.commands else ""
        return f"seen {when} UTC, {self.packets} packets{by}"


def _new_rules(entry: ImagePolicy, lessons: Mapping[_Peer, _Seen]) -> list[Allow]:
    known = [(ipaddress.ip_network(rule.to), rule.protocol, rule.port) for rule in entry.allow]
    room = MAX_RULES_PER_IMAGE - len(known)
    return [
        Allow(to=str(peer.address), port=peer.port, protocol=peer.protocol, note=lessons[peer].note)
        for peer in sorted(lessons, key=lambda peer: peer.order)
        if not any(
            protocol in {None, peer.protocol} and port in {0, peer.port} and peer.address in network
            for network, protocol, port in known
        )
    ][:room]


def _is_lesson(flow: Flow, suspects: Collection[str], include_denied: bool) -> bool:
    if flow.direction is not Direction.EGRESS or flow.container in suspects:
        return False
    if flow.verdict is FlowVerdict.DENIED and not include_denied:
        return False
    address = _address(flow)
    if any(address in group for group in _LINK_LOCAL_GROUPS if group.version == address.version):
        return False
    if flow.protocol is Protocol.UDP:
        return flow.port < _EPHEMERAL_FROM  # beyond: the answers of a UDP server to its clients
    return flow.protocol is not Protocol.ICMP or flow.port not in _ICMP_ANSWERS[address.version]


def _address(flow: Flow) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(flow.address)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
