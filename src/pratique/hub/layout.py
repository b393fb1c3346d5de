"""Where the nodes of a graph stand: who asks left of who is asked, and nothing that stood somewhere moves. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import rustworkx

COLUMN: Final = 330.0
ROW: Final = 78.0
_SWEEPS: Final = 8
_TALLEST: Final = 16
"""Nodes above each other; more go beside."""

Point: TypeAlias = tuple[float, float]


def arrange(nodes: Sequence[str], edges: Collection[tuple[str, str]], known: Mapping[str, Point]) -> dict[str, Point]:
    """Return the place of each node; the same graph gives the same picture.

    :param known: places from before: they stay, and new nodes go where there is room near their neighbours
    """
    kept = {node: known[node] for node in nodes if node in known}
    ways = sorted({(source, target) for source, target in edges if source != target})
    if len(kept) * 2 < len(nodes):  # little is left of the old picture: a fresh one is easier to read
        kept = {}
    fresh = _columns(nodes, ways)
    if not kept:
        return fresh
    near = _neighbours(ways)
    taken = set(kept.values())
    for node in nodes:
        if node not in kept:
            kept[node] = _free(_wish(node, near, kept, fresh), taken)
            taken.add(kept[node])
    return kept


def _columns(nodes: Sequence[str], ways: Sequence[tuple[str, str]]) -> dict[str, Point]:
    layers = _layers(nodes, ways)
    lone = [node for node in nodes if not any(node in way for way in ways)] if len(ways) < len(nodes) else []
    single = set(lone)
    rows = [sorted(node for node in layer if node not in single) for layer in layers]
    rows = [row for row in rows if row]
    _untangle(rows, _neighbours(ways))
    places: dict[str, Point] = {}
    x = 0.0
    for row in rows:
        for start in range(0, len(row), _TALLEST):
            part = row[start : start + _TALLEST]
            top = -ROW * (len(part) - 1) / 2
            places.update({node: (x, top + ROW * place) for place, node in enumerate(part)})
            x += COLUMN
    bottom = max((y for _, y in places.values()), default=-2 * ROW) + 2 * ROW
    width = max(4, round(x / COLUMN))
    for number, node in enumerate(sorted(lone)):
        places[node] = (number % width * COLUMN, bottom + number // width * ROW)
    return places


def _layers(nodes: Sequence[str], ways: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return the nodes in layers: each behind all that lead to it; those in a circle are in one."""
    graph: rustworkx.PyDiGraph[str, None] = rustworkx.PyDiGraph(multigraph=False)
    number_of = dict(zip(nodes, graph.add_nodes_from(list(nodes)), strict=True))
    graph.add_edges_from_no_data([(number_of[source], number_of[target]) for source, target in ways])
    circles = rustworkx.strongly_connected_components(graph)
    circle_of = {node: number for number, members in enumerate(circles) for node in members}
    between = {(circle_of[number_of[source]], circle_of[number_of[target]]) for source, target in ways}
    order: rustworkx.PyDiGraph[int, None] = rustworkx.PyDiGraph(multigraph=False)
    order.add_nodes_from(list(range(len(circles))))
    order.add_edges_from_no_data(sorted(way for way in between if way[0] != way[1]))
    return [
        [graph[node] for circle in generation for node in circles[circle]]
        for generation in rustworkx.topological_generations(order)
    ]


def _untangle(rows: list[list[str]], near: Mapping[str, Collection[str]]) -> None:
    """Order each layer by the mean place of its neighbours: few lines cross then."""
    for sweep in range(_SWEEPS):
        place = {node: number / len(row) for row in rows for number, node in enumerate(row)}
        for row in rows if sweep % 2 == 0 else reversed(rows):
            row.sort(key=lambda node: (_mean([place[other] for other in near.get(node, ())], place[node]), node))
            place.update({node: number / len(row) for number, node in enumerate(row)})


def _neighbours(ways: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    near: dict[str, list[str]] = {}
    for source, target in ways:
        near.setdefault(source, []).append(target)
        near.setdefault(target, []).append(source)
    return near


def _wish(
    node: str, near: Mapping[str, Collection[str]], kept: Mapping[str, Point], fresh: Mapping[str, Point]
) -> Point:
    """Return where a new node would stand: at its column's side of its neighbours, in their middle."""
    others = [other for other in near.get(node, ()) if other in kept]
    if not others:
        return fresh[node]
    aside = _mean([fresh[node][0] - fresh[other][0] for other in others], 0.0)
    x = _mean([kept[other][0] for other in others], 0.0) + aside
    return round(x / COLUMN) * COLUMN, _mean([kept[other][1] for other in others], 0.0)


def _free(wish: Point, taken: Collection[Point]) -> Point:
    """Return the free place nearest to a wish, in its column."""
    x, y = wish
    step = 0
    while any(abs(x - other[0]) < COLUMN / 2 and abs(y - other[1]) < ROW * 0.9 for other in taken):
        step += 1
        y = wish[1] + ROW * (step + 1) // 2 * (1 if step % 2 else -1)
    return x, y


def _mean(values: Collection[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
