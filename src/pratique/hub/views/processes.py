"""The programs that alerts were raised about, as a tree: what started what. Pure."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from pratique.hub.views.alerts import AlertItem
from pratique.model import Action

_MAX_DEPTH: Final = 12


class Process(Struct, frozen=True):
    """A program and what it started."""

    name: str
    pid: str
    arguments: str
    at: float
    bad: bool
    """An alert was raised about it; else it is only known as the one that started others."""
    killed: bool
    alert: int
    children: "tuple[Process, ...]" = ()


def process_tree(alerts: Iterable[AlertItem]) -> tuple[Process, ...]:
    """Return the programs of the alerts, the first one first.

    The sensor tells the name of the program that started another, not its number: equal names are taken for one.
    """
    found: dict[str, AlertItem] = {}
    for alert in sorted(alerts, key=lambda alert: (alert.at, alert.id)):
        if "file" in alert.evidence and "pid" in alert.evidence:
            found.setdefault(alert.evidence["pid"], alert)
    by_parent: dict[str, list[AlertItem]] = {}
    for alert in found.values():
        by_parent.setdefault(alert.evidence.get("parent", ""), []).append(alert)
    started = {_command(alert) for alert in found.values()}
    roots = [parent for parent in by_parent if parent not in started]
    tree = [_root(parent, by_parent) for parent in roots]
    while by_parent:  # names that started each other have no root: then the first one is it
        tree.append(_root(next(iter(by_parent)), by_parent))
    return tuple(tree)


def _root(name: str, by_parent: dict[str, list[AlertItem]]) -> Process:
    children = _children(name, by_parent, 1)
    first = min((child.at for child in children), default=0.0)
    return Process(name or "unknown", "", "", first, bad=False, killed=False, alert=0, children=children)


def _children(name: str, by_parent: dict[str, list[AlertItem]], depth: int) -> tuple[Process, ...]:
    """Take what a program started out of what is left: each stands below one, however often the name is there."""
    return tuple(
        Process(
            name=alert.evidence["file"],
            pid=alert.evidence["pid"],
            arguments=alert.evidence.get("arguments", ""),
            at=alert.at,
            bad=True,
            killed=alert.action is Action.KILLED,
            alert=alert.id,
            children=() if depth >= _MAX_DEPTH else _children(_command(alert), by_parent, depth + 1),
        )
        for alert in by_parent.pop(name, [])
    )


def _command(alert: AlertItem) -> str:
    """Return the name by which the kernel knows a program: the last part of its path, 15 bytes at most."""
    return alert.evidence["file"].rpartition("/")[2].encode()[:15].decode("utf-8", "ignore")
