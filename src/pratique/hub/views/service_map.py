"""Who talks to whom: services as nodes, their traffic as edges, and the rule behind each edge."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Meta, Struct

from pratique.hub.desk import Desk
from pratique.hub.layout import Point, arrange
from pratique.hub.problems import NotFoundError
from pratique.hub.views.asks import Hours, Text
from pratique.inventory import Service, ServiceEdge, ServiceKind, ServiceMap, ServiceNode, outsider, service_of
from pratique.model import Action, EgressMode, FlowVerdict, Protocol
from pratique.policy import Allow, Document, ruling

_MAX_NODES: Final = 300
_MAX_REMEMBERED: Final = 1000
_PLACES: Final = "console_map"
"""The store's state in which the places of the nodes stand: the map is the same tomorrow."""
_KEPT_S: Final = 1.0
_FRESH_S: Final = 15.0
_MAX_FRESH: Final = 200
_KINDS: Final = {
    ServiceKind.HOST: "host",
    ServiceKind.INTERNET: "internet",
    ServiceKind.NETWORK: "outside",
}
_EGRESS_RULE: Final = "net.egress"


class MapAsk(Struct, frozen=True):
    """How far to look back."""

    hours: Hours = 24
    view: Literal["map", "table"] = "map"


class MapNode(Struct, frozen=True):
    """A service, or an outsider."""

    id: str
    label: str
    kind: str
    """``service``, or of outsiders ``internet``, ``outside`` (private addresses), ``host``."""
    state: str
    """``ok``, ``learning``, ``unlisted``, ``quarantined``; ``""`` for outsiders."""
    x: float
    y: float
    containers: int
    running: int
    exposed: int
    """Containers that other machines can reach."""


class MapEdge(Struct, frozen=True):
    """All traffic between two nodes on one port."""

    id: str
    source: str
    target: str
    label: str
    protocol: Protocol
    port: int
    allowed: int
    """Packets let through."""
    refused: int
    """Packets refused."""
    bytes: int
    last_seen: float
    href: str
    """The page that tells the rule."""


class Map(Struct, frozen=True):
    """The map."""

    nodes: tuple[MapNode, ...]
    edges: tuple[MapEdge, ...]
    omitted: int
    """Nodes that had no room: those with the least recent traffic."""
    edges_omitted: int = 0
    """Edges that had no room: those of two services that have many newer ones, as after a scan of ports."""


class EdgeAsk(Struct, frozen=True):
    """One edge of the map."""

    source: Text
    target: Text
    protocol: Protocol
    port: Annotated[int, Meta(ge=0, le=65535)]
    hours: Hours = 24


class EdgeVerdict(Struct, frozen=True):
    """What became of the traffic of an edge, and why."""

    verdict: FlowVerdict
    packets: int
    bytes: int
    first_seen: float
    last_seen: float
    image: str
    image_name: str
    address: str
    entry: str
    """The policy's entry of the image; ``unlisted``."""
    egress: EgressMode
    rule: Allow | None
    """The rule that allows it; None: there is none."""
    inbound: bool
    """Somebody outside opened it: lists say nothing of that."""


class EdgeDetail(Struct, frozen=True):
    """One edge."""

    source: str
    target: str
    protocol: Protocol
    port: int
    verdicts: tuple[EdgeVerdict, ...]
    sha256: str = ""
    """Of the policy that was compared with."""


def service_map(desk: Desk, ask: MapAsk) -> Map:
    """Return the map, with places that stay; the page and its picture ask for it within one second."""
    return desk.memory.within(_KEPT_S, ("map", ask.hours), lambda: draw(desk, ask))


def draw(desk: Desk, ask: MapAsk) -> Map:
    """Return the map as it is now."""
    drawn = desk.store.graph.service_map(desk.now() - ask.hours * 3600.0, limit=_MAX_NODES)
    edges = _edges(drawn.edges, ask.hours)
    fresh = refused_now(desk, ask.hours)
    for one in fresh:
        known = edges.get(one.id, one)
        edges[one.id] = msgspec.structs.replace(known, refused=max(known.refused, one.refused))
    nodes = {_id(node.service): node for node in drawn.nodes}
    for one in fresh:  # a service that was never heard of before
        for end in (one.source, one.target):
            nodes.setdefault(end, ServiceNode(_service(end)))
    places = _places(desk, sorted(nodes), [(one.source, one.target) for one in edges.values()])
    states = _states(desk)
    return Map(
        nodes=tuple(
            MapNode(
                id=key,
                label=node.service.name,
                kind=_kind(node.service),
                state=states.get(node.service, "ok") if node.service.kind.contains else "",
                x=places[key][0],
                y=places[key][1],
                containers=node.containers,
                running=node.running,
                exposed=node.exposed,
            )
            for key, node in sorted(nodes.items())
        ),
        edges=tuple(edges.values()),
        omitted=drawn.omitted,
        edges_omitted=drawn.edges_omitted,
    )


def edge(desk: Desk, ask: EdgeAsk) -> EdgeDetail:
    """Return one edge with the rules behind it.

    :raises NotFoundError: when there is no such traffic
    """
    drawn: ServiceMap = desk.store.graph.service_map(desk.now() - ask.hours * 3600.0, limit=_MAX_NODES)
    document, digest = desk.policy_and_digest()
    found = [one for one in drawn.edges if _key(one) == (ask.source, ask.target, ask.protocol, ask.port)]
    verdicts = [_verdict(one, document) for one in found] or _from_alerts(desk, ask, document)
    if not verdicts:
        msg = f"nothing was seen from {ask.source} to {ask.target}"
        raise NotFoundError(msg, hint="it may be older than what is shown")
    names = desk.store.pages.names(one.image for one in verdicts)
    return EdgeDetail(
        source=_service(ask.source).name,
        target=_service(ask.target).name,
        protocol=ask.protocol,
        port=ask.port,
        verdicts=tuple(msgspec.structs.replace(one, image_name=names.get(one.image, "")) for one in verdicts),
        sha256=digest,
    )


def refused_now(desk: Desk, hours: int) -> list[MapEdge]:
    """Return the edges of what was refused in the last seconds: the alert is there before the counters are."""
    return [
        msgspec.structs.replace(_edge(source, target, protocol, port, hours), refused=count, last_seen=at)
        for source, target, protocol, port, count, at, _, _ in _refusals(desk)
    ]


def _refusals(desk: Desk) -> list[tuple[Service, Service, Protocol, int, int, float, str, str]]:
    records = [
        record
        for record in desk.store.pages.alerts_since(desk.now() - _FRESH_S, _MAX_FRESH)
        if record.alert.rule == _EGRESS_RULE and record.alert.action is Action.DENIED and record.alert.container
    ]
    evidence = [record.alert.evidence for record in records]
    at = desk.store.pages.services_at(found.get("address", "") for found in evidence)
    refusals = []
    for record, found in zip(records, evidence, strict=True):
        container = desk.store.pages.container(record.alert.container)
        address, port = found.get("address", ""), found.get("port", "")
        target = at.get(address) or outsider(address)
        if container is None or target is None or not port.isdigit() or found.get("protocol") not in set(Protocol):
            continue
        source = service_of(container.container)
        protocol = Protocol(found["protocol"])
        refusals.append(
            (source, target, protocol, int(port), record.count, record.last_at, address, record.alert.image)
        )
    return refusals


def _from_alerts(desk: Desk, ask: EdgeAsk, document: Document) -> list[EdgeVerdict]:
    wanted = (ask.source, ask.target, ask.protocol, ask.port)
    edges = [
        ServiceEdge(source, target, protocol, port, FlowVerdict.DENIED, count, 0, at, at, image, address)
        for source, target, protocol, port, count, at, address, image in _refusals(desk)
    ]
    return [_verdict(one, document) for one in edges if _key(one) == wanted]


def _edges(found: Iterable[ServiceEdge], hours: int) -> dict[str, MapEdge]:
    """Return the edges, one for all verdicts on a port."""
    together: dict[str, MapEdge] = {}
    for one in found:
        drawn = _edge(one.source, one.target, one.protocol, one.port, hours)
        old = together.get(drawn.id, drawn)
        denied = one.verdict is FlowVerdict.DENIED
        together[old.id] = msgspec.structs.replace(
            old,
            allowed=old.allowed + (0 if denied else one.packets),
            refused=old.refused + (one.packets if denied else 0),
            bytes=old.bytes + one.bytes,
            last_seen=max(old.last_seen, one.last_seen),
        )
    return together


def _edge(source: Service, target: Service, protocol: Protocol, port: int, hours: int) -> MapEdge:
    """Return an edge without traffic."""
    ends = {"source": _id(source), "target": _id(target), "protocol": protocol.value, "port": port, "hours": hours}
    return MapEdge(
        # Strangers choose names: with spaces in them, one edge could pass for another.
        id=f"{quote(_id(source))} {quote(_id(target))} {protocol.value} {port}",
        source=_id(source),
        target=_id(target),
        label=f"{protocol.value} {port}" if port else protocol.value,
        protocol=protocol,
        port=port,
        allowed=0,
        refused=0,
        bytes=0,
        last_seen=0.0,
        href=f"/map/edge?{urlencode(ends)}",
    )


def _verdict(one: ServiceEdge, document: Document) -> EdgeVerdict:
    inbound = not one.source.kind.contains
    entry = document.image(one.image)
    rules = entry or document.unlisted
    try:
        rule = None if inbound else ruling(rules.allow, one.address, one.protocol, one.port)
    except ValueError:  # the address was not kept
        rule = None
    return EdgeVerdict(
        verdict=one.verdict,
        packets=one.packets,
        bytes=one.bytes,
        first_seen=one.first_seen,
        last_seen=one.last_seen,
        image=one.image,
        image_name="",
        address=one.address,
        entry=entry.name if entry else "unlisted",
        egress=rules.egress,
        rule=rule,
        inbound=inbound,
    )


def _states(desk: Desk) -> dict[Service, str]:
    """Return how each service stands: the gravest of its images and containers."""
    document = desk.policy()
    states: dict[Service, str] = {}
    for service, image in desk.store.pages.service_images():
        entry = document.image(image)
        if entry is None:
            states[service] = "unlisted"
        elif entry.egress is not EgressMode.ENFORCE:
            states.setdefault(service, "learning")
    for quarantine in desk.store.quarantines.all():
        record = desk.store.pages.container(quarantine.container)
        if record is not None:
            states[service_of(record.container)] = "quarantined"
    return states


def _places(desk: Desk, nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, Point]:
    try:
        known = msgspec.json.decode(desk.store.state(_PLACES) or "{}", type=dict[str, Point])
    except msgspec.DecodeError:
        known = {}
    places = arrange(nodes, edges, known)
    # What talked to nobody yet has no place of its own: where it belongs is seen from its first edge.
    placed = {end: places[end] for edge in edges for end in edge}
    if any(known.get(node) != place for node, place in placed.items()):
        others = [(node, place) for node, place in known.items() if node not in placed]
        kept = dict([*others, *placed.items()][-_MAX_REMEMBERED:])
        desk.store.set_state(_PLACES, msgspec.json.encode(kept).decode())
    return places


def _kind(service: Service) -> str:
    return _KINDS.get(service.kind, "service")


def _id(service: Service) -> str:
    return f"{service.kind.value}:{service.name}"


def _service(key: str) -> Service:
    kind, _, name = key.partition(":")
    try:
        return msgspec.convert({"kind": kind, "name": name}, Service)
    except msgspec.ValidationError as error:
        msg = f"{key!r} is not a service"
        raise NotFoundError(msg) from error


def _key(one: ServiceEdge) -> tuple[str, str, Protocol, int]:
    return _id(one.source), _id(one.target), one.protocol, one.port
