"""From flows between addresses to edges between services, on one connection, as the flows are written."""

from collections.abc import Collection, Iterable
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, Row, delete, select

from pratique.inventory import Service, ServiceKind, outsider
from pratique.model import Direction, Flow
from pratique.store.encoding import text
from pratique.store.numbers import chunks
from pratique.store.places import service_numbers
from pratique.store.tables import ADDRESSES, PRESENT, PUBLISHED_PORTS, SERVICE_EDGES
from pratique.store.upsert import added, greatest, least, upsert

_KEY: Final = ("source", "target", "protocol", "port", "verdict")
_SLACK_S: Final = 5.0
"""A container sends its first packets before the engine's event about it is handled, and its last ones after."""
_MAX_COUNTER: Final = 2**62
_ANY: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  # compared with, never bound


class _Home(Struct, frozen=True):
    """Where a container is."""

    host: str
    service: int


class _Span(Struct, frozen=True):
    """Who had an address or a published port, and when. ``service`` 0: the host itself."""

    host: str
    service: int
    since: float
    until: float | None
    addresses: frozenset[str] = frozenset()

    def holds(self, at: float) -> bool:
        return self.since <= at + _SLACK_S and (self.until is None or at <= self.until + _SLACK_S)


class _Directory:
    """What addresses meant, for the flows of one batch."""

    def __init__(self, connection: Connection, flows: Collection[Flow]) -> None:
        self._homes: dict[str, _Home] = {}
        self._addresses: dict[str, list[_Span]] = {}
        self._ports: dict[tuple[int, str], list[_Span]] = {}
        self._read_homes(connection, {text(flow.container) for flow in flows})
        self._read_addresses(connection, {text(flow.address) for flow in flows})
        self._read_ports(connection, {flow.port for flow in flows if self._is_host(text(flow.address))})

    def home(self, flow: Flow) -> _Home | None:
        return self._homes.get(text(flow.container))

    def peer(self, flow: Flow, host: str) -> int | Service | None:
        """Return the number of the service that a flow's address stood for, an outsider, or None for nobody."""
        rows = self._addresses.get(text(flow.address), ())
        held = [row for row in rows if row.service and row.holds(flow.last_seen)]
        mine = [row for row in held if row.host == host]
        if mine:
            return max(mine, key=lambda row: row.since).service
        hosts = [row.host for row in rows if not row.service]
        if hosts:
            return self._published(flow, host if host in hosts else hosts[0])
        # Networks that span hosts give each address once; those of single hosts give the same ones everywhere.
        return held[0].service if len(held) == 1 else outsider(flow.address)

    def _published(self, flow: Flow, host: str) -> int | Service:
        if flow.direction is Direction.EGRESS:
            for row in self._ports.get((flow.port, flow.protocol.value), ()):
                fits = bool(row.addresses & (_ANY | {text(flow.address)}))
                if row.host == host and fits and row.holds(flow.last_seen):
                    return row.service
        return Service(ServiceKind.HOST, host or "this host")

    def _is_host(self, address: str) -> bool:
        return any(not row.service for row in self._addresses.get(address, ()))

    def _read_homes(self, connection: Connection, containers: Collection[str]) -> None:
        columns = PRESENT.c.container, PRESENT.c.host, PRESENT.c.service
        for some in chunks(containers):
            for container, host, service in connection.execute(select(*columns).where(PRESENT.c.container.in_(some))):
                self._homes[container] = _Home(host, service)
        late = ADDRESSES.c.container, ADDRESSES.c.host, ADDRESSES.c.service
        gone = [container for container in containers if container and container not in self._homes]
        for some in chunks(gone):
            for container, host, service in connection.execute(select(*late).where(ADDRESSES.c.container.in_(some))):
                self._homes[container] = _Home(host, service)

    def _read_addresses(self, connection: Connection, addresses: Collection[str]) -> None:
        for some in chunks(addresses):
            for row in connection.execute(select(ADDRESSES).where(ADDRESSES.c.address.in_(some))):
                self._addresses.setdefault(row.address, []).append(_span(row))

    def _read_ports(self, connection: Connection, ports: Collection[int]) -> None:
        for some in chunks(ports):
            for row in connection.execute(select(PUBLISHED_PORTS).where(PUBLISHED_PORTS.c.port.in_(some))):
                span = _span(row, frozenset(row.address.split(" ")))
                self._ports.setdefault((row.port, row.protocol), []).append(span)


def add_edges(connection: Connection, flows: Iterable[Flow]) -> None:
    """Add flows to the edges between services.

    A flow between two containers is seen at both ends; it counts where it begins. Flows of containers that are not
    known (build steps) and to loopback make no edge.
    """
    batch = list(flows)
    if not batch:
        return
    directory = _Directory(connection, batch)
    ends = [(flow, _ends(flow, directory)) for flow in batch]
    strangers = {end for _, pair in ends if pair for end in pair if isinstance(end, Service)}
    numbers = service_numbers(connection, strangers)
    rows: dict[tuple[object, ...], dict[str, Any]] = {}
    for flow, pair in ends:
        if pair is None:
            continue
        source, target = (numbers[end] if isinstance(end, Service) else end for end in pair)
        row = _row(flow, source, target)
        known = rows.setdefault(tuple(row[name] for name in _KEY), row)
        if known is not row:
            _add(known, row)
    upsert(
        connection,
        SERVICE_EDGES,
        _KEY,
        list(rows.values()),
        {"packets": added, "bytes": added, "first_seen": least, "last_seen": greatest},
    )


def prune_edges(connection: Connection, before: float) -> None:
    """Forget edges that were last seen before a time, and who had which address until then."""
    connection.execute(delete(SERVICE_EDGES).where(SERVICE_EDGES.c.last_seen < before))
    for table in (ADDRESSES, PUBLISHED_PORTS):
        connection.execute(delete(table).where(table.c.until < before))


def _ends(flow: Flow, directory: _Directory) -> tuple[int | Service, int | Service] | None:
    home = directory.home(flow)
    if home is None or not home.service:
        return None
    peer = directory.peer(flow, home.host)
    if peer is None:
        return None
    if flow.direction is Direction.EGRESS:
        return home.service, peer
    return None if isinstance(peer, int) else (peer, home.service)


def _row(flow: Flow, source: int, target: int) -> dict[str, Any]:
    return {
        "source": source,
        "target": target,
        "protocol": flow.protocol.value,
        "port": flow.port,
        "verdict": flow.verdict.value,
        "packets": min(flow.packets, _MAX_COUNTER),
        "bytes": min(flow.bytes, _MAX_COUNTER),
        "first_seen": flow.first_seen,
        "last_seen": flow.last_seen,
        "image": text(flow.image),
        "address": text(flow.address),
    }


def _add(known: dict[str, Any], row: dict[str, Any]) -> None:
    if row["last_seen"] >= known["last_seen"]:
        known.update({name: row[name] for name in ("last_seen", "image", "address")})
    known["first_seen"] = min(known["first_seen"], row["first_seen"])
    for name in ("packets", "bytes"):
        known[name] = min(known[name] + row[name], _MAX_COUNTER)


def _span(row: Row[Any], addresses: frozenset[str] = frozenset()) -> _Span:
    return _Span(row.host, row.service, row.since, row.until, addresses)
