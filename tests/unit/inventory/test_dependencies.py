"""The graph against slow and obvious ways to the same answers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pratique.inventory import Dependencies, Exposure, Loaded, Threat, assess, follow
from pratique.model import Severity

PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40)


def needed_by(pairs: list[tuple[int, int]], service: int) -> set[int]:
    found: set[int] = set()
    grown = {service}
    while grown:
        grown = {source for source, target in pairs if target in grown and source != target} - found
        found |= grown
    return found - {service}


@given(PAIRS)
def test_dependants_are_everyone_from_whom_a_way_leads_here(pairs: list[tuple[int, int]]) -> None:
    graph = Dependencies(pairs)
    counts = graph.counts()
    for service in range(10):
        expected = needed_by(pairs, service)
        assert set(graph.dependants([service])) - {service} == expected
        assert counts.get(service, 0) == len(expected)


@given(PAIRS, st.sets(st.integers(0, 9), min_size=1))
def test_ways_are_real_shortest_and_end_where_the_search_began(pairs: list[tuple[int, int]], starts: set[int]) -> None:
    steps = Dependencies(pairs).dependants(starts)
    for service in steps:
        way = follow(steps, service)
        assert way[-1] in starts
        assert set(pairwise(way)) <= set(pairs)
        assert len(set(way)) == len(way)


@given(PAIRS, st.sets(st.integers(0, 9)))
def test_order_puts_the_needed_first_and_keeps_circles_together(pairs: list[tuple[int, int]], chosen: set[int]) -> None:
    groups = Dependencies(pairs).order(chosen)
    assert sorted(service for group in groups for service in group) == sorted(chosen)
    inside = [(source, target) for source, target in pairs if source in chosen and target in chosen]
    place = {service: number for number, group in enumerate(groups) for service in group}
    for source, target in inside:
        assert place[target] <= place[source]
        circle = source in needed_by(inside, target) and target in needed_by(inside, source)
        assert circle == (place[source] == place[target]) or source == target


def test_risk_is_the_sum_of_its_parts_and_at_most_a_hundred() -> None:
    worst = assess(Threat(Severity.CRITICAL, kev=True, epss=1.0), Loaded.YES, Exposure.PUBLISHED, 1000)
    assert worst.score == 100.0
    least = assess(Threat(Severity.NEGLIGIBLE), Loaded.NO, Exposure.NONE, 0)
    assert least.score == 2.0
    middle = assess(Threat(Severity.HIGH, epss=0.5), Loaded.UNKNOWN, Exposure.THROUGH, 3)
    assert (middle.severity, middle.epss, middle.loaded, middle.exposure, middle.dependants) == (30, 5, 5, 5, 4)
    assert middle.score == 49.0
