"""From sums by service and the graph of dependencies to services in the order of their risk. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from pratique.inventory.blast import AffectedService, Dependant
from pratique.inventory.graph import Dependencies, follow
from pratique.inventory.risk import Exposure, Loaded, Threat, assess
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


def rank(affected: Sequence[Affected], around: Surroundings) -> list[tuple[int, AffectedService]]:
    """Return services with their numbers, the most urgent first."""
    counts = around.dependencies.counts()
    exposed = around.dependencies.reached_from(around.reachable)
    ranked = [(one.number, _service(one, around, exposed, counts.get(one.number, 0))) for one in affected]
    ranked.sort(key=lambda entry: (-entry[1].risk.score, -entry[1].running, -entry[1].containers, entry[1].service))
    return ranked


def dependants(affected: Iterable[int], around: Surroundings) -> list[Dependant]:
    """Return who needs affected services and is not one, the nearest first."""
    steps = around.dependencies.dependants(affected)
    found = [
        Dependant(around.services[number], tuple(around.services[part] for part in follow(steps, number)))
        for number, step in steps.items()
        if number != step
    ]
    return sorted(found, key=lambda one: (len(one.path), one.service))


def _service(one: Affected, around: Surroundings, exposed: Mapping[int, int], needed_by: int) -> AffectedService:
    way = follow(exposed, one.number)[::-1] if one.number in exposed else []
    direct = one.exposed > 0 or one.number in around.reachable
    exposure = Exposure.PUBLISHED if direct else Exposure.THROUGH if way else Exposure.NONE
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
        through=tuple(around.services[number] for number in way) if exposure is Exposure.THROUGH else (),
        direct=tuple(sorted(nearest)),
        dependants=needed_by,
        loaded=one.loaded,
        risk=assess(one.threat, one.loaded, exposure, needed_by),
    )
