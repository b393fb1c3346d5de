"""From sums by service and the graph of dependencies to services in the order of their risk. Pure."""

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from pratique.inventory.blast import AffectedService, Dependant
from pratique.inventory.graph import Dependencies, follow
from pratique.inventory.risk import Exposure, Loaded, Risk, Threat, assess
from pratique.inventory.service import Service


class Affected(Struct, frozen=True):
    """What was counted of one service."""

    number: int
    containers: int
    running: int
    exposed: int
    images: int
    since: float
    threat: Threat
    loaded: Loaded = Loaded.UNKNOWN


class Surroundings(Struct, frozen=True):
    """All services and how they hang together."""

    services: Mapping[int, Service]
    dependencies: Dependencies
    reachable: Collection[int]
    """Services that other machines can reach directly."""


def rank(affected: Sequence[Affected], around: Surroundings, limit: int | None) -> list[tuple[int, AffectedService]]:
    """Return services with their numbers, the most urgent first.

    :param limit: of what is returned; None: all
    """
    counts = around.dependencies.counts()
    exposed = around.dependencies.reached_from(around.reachable)
    keyed = (
        (-_risk(one, around, exposed, counts).score, -one.running, -one.containers, around.services[one.number], one)
        for one in affected
    )
    # no two have the same service, so that the comparison never reaches the last part
    first = sorted(keyed) if limit is None else heapq.nsmallest(limit, keyed)
    return [(one.number, _service(one, around, exposed, counts)) for *_, one in first]


def dependants(affected: Iterable[int], around: Surroundings, limit: int | None) -> tuple[int, list[Dependant]]:
    """Return how many need affected services and are none themselves, and these, the nearest first.

    :param limit: of what is returned; None: all
    """
    steps = around.dependencies.dependants(affected)
    depths: dict[int, int] = {}
    for number, step in steps.items():  # who is nearer stands before
        depths[number] = 0 if number == step else depths[step] + 1
    keyed = ((depth, around.services[number], number) for number, depth in depths.items() if depth)
    nearest = sorted(keyed) if limit is None else heapq.nsmallest(limit, keyed)
    listed = [
        Dependant(service, tuple(around.services[part] for part in follow(steps, number)))
        for _, service, number in nearest
    ]
    return sum(depth > 0 for depth in depths.values()), listed


def _exposure(one: Affected, around: Surroundings, exposed: Collection[int]) -> Exposure:
    if one.exposed > 0 or one.number in around.reachable:
        return Exposure.PUBLISHED
    return Exposure.THROUGH if one.number in exposed else Exposure.NONE


def _risk(one: Affected, around: Surroundings, exposed: Collection[int], counts: Mapping[int, int]) -> Risk:
    return assess(one.threat, one.loaded, _exposure(one, around, exposed), counts.get(one.number, 0))


def _service(
    one: Affected, around: Surroundings, exposed: Mapping[int, int], counts: Mapping[int, int]
) -> AffectedService:
    exposure = _exposure(one, around, exposed)
    way = follow(exposed, one.number)[::-1] if exposure is Exposure.THROUGH else []
    nearest = (around.services[number] for number in around.dependencies.direct(one.number))
    return AffectedService(
        service=around.services[one.number],
        containers=one.containers,
        running=one.running,
        exposed=one.exposed,
        images=one.images,
        since=one.since,
        threat=one.threat,
        exposure=exposure,
        through=tuple(around.services[number] for number in way),
        direct=tuple(sorted(nearest)),
        dependants=counts.get(one.number, 0),
        loaded=one.loaded,
        risk=_risk(one, around, exposed, counts),
    )
