"""Who talks to whom among services, and what follows from that. Pure.

An edge leads from who opens a connection to who is asked: its source depends on its target. Traffic that was refused,
and ICMP, make nobody depend on anybody.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Final, cast

import rustworkx
from msgspec import Struct

from pratique.inventory.service import Service
from pratique.model import FlowVerdict, Protocol

_CARRIED: Final = frozenset({Protocol.TCP, Protocol.UDP})


class ServiceNode(Struct, frozen=True):
    """A service on the map, or an outsider."""

    service: Service
    containers: int = 0
    """That are not gone."""
    running: int = 0
    exposed: int = 0
    """How many of them other machines can reach."""


class ServiceEdge(Struct, frozen=True):
    """All flows from one service to another on one port, with one verdict."""

    source: Service
    target: Service
    protocol: Protocol
    port: int
    verdict: FlowVerdict
    packets: int
    bytes: int
    first_seen: float
    last_seen: float
    image: str = ""
    """Of the container that sent (from outside: that received) the newest flow: whose policy decided."""
    address: str = ""
    """The peer's address in that flow."""

    @property
    def is_dependency(self) -> bool:
        """Whether the source needs the target."""
        return self.verdict is not FlowVerdict.DENIED and self.protocol in _CARRIED


class ServiceMap(Struct, frozen=True):
    """The services, and who talks to whom. Every end of an edge is among the nodes."""

    nodes: tuple[ServiceNode, ...]
    edges: tuple[ServiceEdge, ...]
    omitted: int = 0
    """Nodes left out by the bound, those with the least recent traffic, with their edges."""
    edges_omitted: int = 0
    """Edges left out because their two services have many newer ones."""


class Dependencies:
    """Who needs whom, as a graph of numbers from 0; cycles are normal."""

    def __init__(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Take pairs of who needs and who is needed; a service that needs itself says nothing."""
        self._needs: dict[int, set[int]] = {}
        self._needed_by: dict[int, set[int]] = {}
        for source, target in pairs:
            if source != target:
                self._needs.setdefault(source, set()).add(target)
                self._needed_by.setdefault(target, set()).add(source)

    def direct(self, service: int) -> Collection[int]:
        """Return who needs a service directly."""
        return self._needed_by.get(service, ())

    def dependants(self, services: Iterable[int]) -> dict[int, int]:
        """Return everyone who needs one of the services, each with the next one on a shortest way to them."""
        return _search(self._needed_by, services)

    def reached_from(self, services: Iterable[int]) -> dict[int, int]:
        """Return everyone whom the services need, each with the previous one on a shortest way from them."""
        return _search(self._needs, services)

    def counts(self) -> dict[int, int]:
        """Return for each service that somebody needs how many do, directly or over others."""
        # Services in a circle need the same ones; of circles and single ones, each is reached as all that it is
        # reached from together: one bit for each service makes that a handful of operations on large numbers.
        circles = _circles(self._needed_by)
        circle_of = {service: number for number, members in enumerate(circles) for service in members}
        bit_of = {service: 1 << position for position, service in enumerate(circle_of)}
        masks: list[int] = []
        counts: dict[int, int] = {}
        for members in circles:  # whoever needs a circle comes before it
            mask = sum(bit_of[service] for service in members)
            for near in {circle_of[near] for service in members for near in self._needed_by.get(service, ())}:
                if near < len(masks):
                    mask |= masks[near]
            masks.append(mask)
            counts.update(dict.fromkeys(members, mask.bit_count() - 1))
        return {service: count for service, count in counts.items() if count}

    def order(self, services: Collection[int]) -> list[list[int]]:
        """Return services in groups, the needed before those who need them; a circle is one group."""
        wanted = set(services)
        groups = _circles({service: self._needs.get(service, set()) & wanted for service in sorted(wanted)})
        return [sorted(group) for group in groups]


def follow(steps: Mapping[int, int], start: int) -> list[int]:
    """Return the way from a service that a search found to where the search began."""
    path = [start]
    while steps.get(path[-1], path[-1]) != path[-1]:
        path.append(steps[path[-1]])
    return path


def _search(graph: Mapping[int, set[int]], starts: Iterable[int]) -> dict[int, int]:
    """Search in breadth; the starts point at themselves and stand first."""
    steps = {start: start for start in sorted(set(starts))}
    queue = deque(steps)
    while queue:
        here = queue.popleft()
        for there in graph.get(here, ()):
            if there not in steps:
                steps[there] = here
                queue.append(there)
    return steps


def _circles(graph: Mapping[int, set[int]]) -> list[list[int]]:
    """Return the strongly connected components, each after all that it leads to."""
    services = sorted(set(graph).union(*graph.values()))
    places = {service: place for place, service in enumerate(services)}
    drawn: rustworkx.PyDiGraph[int, None] = rustworkx.PyDiGraph(multigraph=False)
    drawn.add_nodes_from(services)
    drawn.add_edges_from_no_data([(places[here], places[there]) for here, ways in graph.items() for there in ways])
    condensed = cast("rustworkx.PyDiGraph[list[int], None]", rustworkx.condensation(drawn))
    return [list(condensed[place]) for place in reversed(rustworkx.topological_sort(condensed))]
