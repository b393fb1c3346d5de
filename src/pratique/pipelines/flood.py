"""Keeps a client that asks a thousand times a second from filling the disk with refusals. Pure."""

from collections.abc import Iterator
from typing import Final

import msgspec

from pratique.model import Decision, Verdict
from pratique.pipelines.memory import Memory

WINDOW_S: Final = 60.0
KEPT: Final = 100
"""Refusals by one rule to one source that are kept whole in one window; the rest is counted."""
_REMEMBERED: Final = 1_000


class _Window(msgspec.Struct):
    began: float
    seen: int
    last: Decision


class Flood:
    """Counts refusals. Permissions always pass: each of them changed something."""

    def __init__(self) -> None:
        self._windows: Memory[tuple[str, str], _Window] = Memory(_REMEMBERED)

    def pass_on(self, decision: Decision) -> Iterator[Decision]:
        """Yield what is to be recorded now: the decision, or nothing, or first the number of those left out before."""
        if decision.verdict is Verdict.ALLOW:
            yield decision
            return
        key = (decision.rule, decision.source)
        window = self._windows.get(key)
        if window is None or decision.at - window.began >= WINDOW_S:
            if window is not None:
                yield from _left_out(window)
            self._windows[key] = _Window(decision.at, 1, decision)
            yield decision
            return
        window.seen += 1
        window.last = decision
        if window.seen <= KEPT:
            yield decision

    def rest(self) -> Iterator[Decision]:
        """Yield the numbers of what was left out and not told yet."""
        for window in self._windows.values():
            yield from _left_out(window)
        self._windows.clear()


def _left_out(window: _Window) -> Iterator[Decision]:
    count = window.seen - KEPT
    if count > 0:
        reason = f"and {count} more like this since the last that is recorded; the last: {window.last.reason}"
        yield msgspec.structs.replace(window.last, reason=reason)
