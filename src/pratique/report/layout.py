"""Places for the nodes of a directed graph: in columns, so that edges lead from left to right where they can. Pure.

After Sugiyama, Tagawa and Toda (1981): circles are broken, nodes are laid in columns by the longest way to them, and
the order within a column follows the middle of a node's neighbours, sweep by sweep.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

Node = TypeVar("Node", bound=Hashable)

_SWEEPS: Final = 6


def layered(nodes: Sequence[Node], edges: Iterable[tuple[Node, Node]]) -> list[list[Node]]:
    """Return the nodes in columns from left to right, each from top to bottom.

    :param nodes: each once; their order decides where nothing else does
    :param edges: between these nodes; circles and loops are normal
    """
    known = dict.fromkeys(nodes)
    ways: dict[Node, set[Node]] = {node: set() for node in known}
    for source, target in edges:
        if source != target and source in known and target in known:
            ways[source].add(target)
    acyclic = _without_circles(list(known), ways)
    columns = _columns(list(known), acyclic)
    return _ordered(columns, acyclic)


def _without_circles(nodes: Sequence[Node], ways: Mapping[Node, set[Node]]) -> dict[Node, list[Node]]:
    """Turn round every edge that leads back to a node whose search has not ended."""
    rank = {node: number for number, node in enumerate(nodes)}
    ahead: dict[Node, list[Node]] = {node: sorted(ways[node], key=rank.__getitem__) for node in nodes}
    result: dict[Node, list[Node]] = {node: [] for node in nodes}
    state: dict[Node, int] = {}
    for root in nodes:
        stack = [] if root in state else [(root, iter(ahead[root]))]
        state.setdefault(root, 1)
        while stack:
            here, rest = stack[-1]
            there = next(rest, None)
            if there is None:
                state[here] = 2
                stack.pop()
            elif state.get(there) == 1:
                result[there].append(here)
            else:
                result[here].append(there)
                if there not in state:
                    state[there] = 1
                    stack.append((there, iter(ahead[there])))
    return result


def _columns(nodes: Sequence[Node], ways: Mapping[Node, Sequence[Node]]) -> list[list[Node]]:
    """Lay each node in the column after the last one that leads to it."""
    waiting = dict.fromkeys(nodes, 0)
    for targets in ways.values():
        for target in targets:
            waiting[target] += 1
    depth = dict.fromkeys(nodes, 0)
    ready = [node for node in nodes if not waiting[node]]
    for node in ready:
        for target in ways[node]:
            depth[target] = max(depth[target], depth[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    columns: list[list[Node]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in nodes:
        columns[depth[node]].append(node)
    return columns


def _ordered(columns: list[list[Node]], ways: Mapping[Node, Sequence[Node]]) -> list[list[Node]]:
    before: dict[Node, list[Node]] = {node: [] for column in columns for node in column}
    for source, targets in ways.items():
        for target in targets:
            before[target].append(source)
    place = {node: row / len(column) for column in columns for row, node in enumerate(column)}
    for sweep in range(_SWEEPS):
        neighbours = before if sweep % 2 == 0 else ways
        for column in columns if sweep % 2 == 0 else reversed(columns):
            middle = {node: _mean([place[near] for near in neighbours[node]], place[node]) for node in column}
            column.sort(key=middle.__getitem__)
            place.update({node: row / len(column) for row, node in enumerate(column)})
    return columns


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
