"""Questions about services: who they are, who talks to whom, who needs whom.

``store.graph.service_map(since)`` draws the map; ``store.graph.order(services)`` tells in which order to touch them.
"""

from collections.abc import Collection, Iterable
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select

from pratique.inventory import Dependencies, Service, ServiceEdge, ServiceKind, ServiceMap, ServiceNode
from pratique.model import FlowVerdict, Protocol
from pratique.store.database import Database
from pratique.store.places import put_host_addresses
from pratique.store.tables import ADDRESSES, PLACEMENTS, SERVICE_EDGES, SERVICES

MAX_NODES: Final = 300
"""More nobody can look at."""
MAX_PORTS: Final = 20
"""Edges between two services that were refused, and that were not: whoever scans a peer makes no more of them."""
MAX_EDGES: Final = 5000
"""Edges of one map."""


class Graph:
    """One method a question; each raises :class:`~pratique.errors.StoreError`."""

    def __init__(self, database: Database, host: str) -> None:
        self._database = database
        self._host = host

    def service_map(self, since: float = 0.0, *, limit: int = MAX_NODES) -> ServiceMap:
        """Return the services that have containers or traffic, and the edges between them.

        :param since: traffic seen at this time or later
        :param limit: of nodes; those with the newest traffic are kept, as are the newest edges of each pair
        """
        with self._database.read() as connection:
            services = read_services(connection)
            edges, all_edges = _newest_edges(connection, services, since)
            counts = _counts(connection)
        seen: dict[Service, float] = {}
        for edge in edges:
            for end in (edge.source, edge.target):
                seen[end] = max(seen.get(end, 0.0), edge.last_seen)
        present = {services[number] for number in counts}
        ordered = sorted(present | seen.keys(), key=lambda service: (-seen.get(service, 0.0), service))
        kept = set(ordered[:limit])
        numbers = {service: number for number, service in services.items()}
        return ServiceMap(
            nodes=tuple(ServiceNode(one, *counts.get(numbers[one], (0, 0, 0))) for one in sorted(kept)),
            edges=tuple(edge for edge in edges if edge.source in kept and edge.target in kept),
            omitted=len(ordered) - len(kept),
            edges_omitted=all_edges - len(edges),
        )

    def order(self, services: Collection[Service]) -> list[list[Service]]:
        """Return services in groups: the needed before those who need them; one group may be touched at once."""
        with self._database.read() as connection:
            known = read_services(connection)
            needs = read_dependencies(connection, known)
        numbers = {service: number for number, service in known.items()}
        groups = needs.order([numbers[service] for service in services if service in numbers])
        strangers = sorted(set(services) - numbers.keys())
        return [[known[number] for number in group] for group in groups] + [[one] for one in strangers]

    def homes(self, since: float) -> dict[str, set[str]]:
        """Return the names of the services that had an address at this time or later, by address."""
        query = select(ADDRESSES.c.address, SERVICES.c.name)
        query = query.join_from(ADDRESSES, SERVICES, ADDRESSES.c.service == SERVICES.c.number)
        query = query.where(ADDRESSES.c.container != "", or_(ADDRESSES.c.until.is_(None), ADDRESSES.c.until >= since))
        found: dict[str, set[str]] = {}
        with self._database.read() as connection:
            for address, name in connection.execute(query):
                found.setdefault(address, set()).add(name)
        return found

    def put_host_addresses(self, addresses: Iterable[str], at: float) -> None:
        """Record addresses of the host itself: what is published there leads to a container."""
        with self._database.write() as connection:
            put_host_addresses(connection, self._host, addresses, at)


def read_services(connection: Connection) -> dict[int, Service]:
    """Return every service by its number."""
    query = select(SERVICES.c.number, SERVICES.c.kind, SERVICES.c.name)
    return {number: Service(ServiceKind(kind), name) for number, kind, name in connection.execute(query).all()}


def read_dependencies(connection: Connection, services: dict[int, Service]) -> Dependencies:
    """Return who needs whom. Outsiders need nobody: that two talk to one network joins nothing."""
    inside = {number for number, service in services.items() if service.kind.contains}
    columns = SERVICE_EDGES.c
    query = select(columns.source, columns.target).distinct()
    query = query.where(columns.verdict != FlowVerdict.DENIED.value)
    query = query.where(columns.protocol.in_([Protocol.TCP.value, Protocol.UDP.value]))
    pairs = connection.execute(query).all()
    return Dependencies((source, target) for source, target in pairs if source in inside and target in inside)


def read_edges(
    connection: Connection, services: dict[int, Service], condition: ColumnElement[bool]
) -> list[ServiceEdge]:
    """Return the edges that a condition chooses."""
    columns = SERVICE_EDGES.c
    query = select(SERVICE_EDGES).where(condition)
    query = query.order_by(columns.source, columns.target, columns.protocol, columns.port, columns.verdict)
    return [_edge(row, services) for row in connection.execute(query)]


def _newest_edges(connection: Connection, services: dict[int, Service], since: float) -> tuple[list[ServiceEdge], int]:
    """Return the newest edges of each pair of services, and how many there are in all."""
    columns = SERVICE_EDGES.c
    pair = columns.source, columns.target, columns.verdict == FlowVerdict.DENIED.value
    newest = columns.last_seen.desc(), columns.port, columns.protocol, columns.verdict
    place = func.row_number().over(partition_by=pair, order_by=newest).label("place")
    ranked = select(SERVICE_EDGES, place).where(columns.last_seen >= since).subquery()
    query = select(ranked).where(ranked.c.place <= MAX_PORTS).order_by(ranked.c.last_seen.desc()).limit(MAX_EDGES)
    found = [_edge(row, services) for row in connection.execute(query)]
    number = connection.execute(select(func.count()).where(columns.last_seen >= since)).scalar_one()
    return sorted(found, key=lambda edge: (edge.source, edge.target, edge.protocol, edge.port, edge.verdict)), number


def _edge(row: Row[Any], services: dict[int, Service]) -> ServiceEdge:
    return ServiceEdge(
        source=services[row.source],
        target=services[row.target],
        protocol=Protocol(row.protocol),
        port=row.port,
        verdict=FlowVerdict(row.verdict),
        packets=row.packets,
        bytes=row.bytes,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        image=row.image,
        address=row.address,
    )


def _counts(connection: Connection) -> dict[int, tuple[int, int, int]]:
    """Return how many containers of each service are present, running and exposed."""
    sums = [func.sum(PLACEMENTS.c[name]) for name in ("present", "running", "exposed")]
    query = select(PLACEMENTS.c.service, *sums).group_by(PLACEMENTS.c.service).having(sums[0] > 0)
    return {
        service: (int(present), int(running), int(exposed))
        for service, present, running, exposed in connection.execute(query)
    }
