from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from pratique.hub.layout import COLUMN, ROW, Point, arrange

NAMES = st.integers(0, 30).map(str)
GRAPHS = st.tuples(st.sets(NAMES, min_size=1, max_size=30), st.sets(st.tuples(NAMES, NAMES), max_size=60)).map(
    lambda drawn: (sorted(drawn[0]), [way for way in sorted(drawn[1]) if set(way) <= drawn[0]])
)


def apart(places: dict[str, Point]) -> bool:
    return all(
        abs(one[0] - other[0]) >= COLUMN / 2 or abs(one[1] - other[1]) >= ROW * 0.9 - 1e-6
        for one, other in combinations(places.values(), 2)
    )


@given(GRAPHS)
def test_every_node_has_a_place_of_its_own(graph: tuple[list[str], list[tuple[str, str]]]) -> None:
    nodes, edges = graph
    places = arrange(nodes, edges, {})
    assert set(places) == set(nodes)
    assert apart(places)
    assert arrange(nodes, edges, {}) == places


@given(GRAPHS, st.sets(NAMES, max_size=5))
def test_what_stood_somewhere_stays_when_something_comes_or_goes(
    graph: tuple[list[str], list[tuple[str, str]]], gone: set[str]
) -> None:
    nodes, edges = graph
    before = arrange(nodes, edges, {})
    left = [node for node in nodes if node not in gone]
    more = [*left, "new"]
    ways = [(one, other) for one, other in edges if one in left and other in left]
    if left:
        ways.append((left[0], "new"))
    after = arrange(more, ways, before)
    if len(left) * 2 >= len(more):
        assert all(after[node] == before[node] for node in left)
    assert apart(after)


def test_who_asks_stands_left_of_who_is_asked() -> None:
    places = arrange(["web", "shop", "redis", "sql"], [("web", "shop"), ("shop", "redis"), ("shop", "sql")], {})
    assert places["web"][0] < places["shop"][0] < places["redis"][0] == places["sql"][0]


def test_circles_and_long_columns_are_drawn() -> None:
    assert apart(arrange(["a", "b"], [("a", "b"), ("b", "a"), ("a", "a")], {}))
    many = [f"n{number}" for number in range(300)]
    places = arrange(many, [(many[0], other) for other in many[1:]], {})
    assert apart(places)
    assert max(y for _, y in places.values()) - min(y for _, y in places.values()) < 20 * ROW
