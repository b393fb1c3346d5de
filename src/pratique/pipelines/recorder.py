"""Puts what happens into the store, off the event loop, in order, many records to a transaction."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Self, TypeVar

from pratique.errors import StoreError
from pratique.model import Alert, Decision, Flow
from pratique.pipelines.account import Account
from pratique.pipelines.flood import Flood
from pratique.pipelines.memory import Memory
from pratique.store import Store

_RETRY_S: Final = 1.0
_MAX_WAITING: Final = 200_000
_TOLD_AGAIN_S: Final = 60.0
_REMEMBERED: Final = 10_000
_Record = TypeVar("_Record")


def _ignore(_record: Alert | Decision) -> None:
    """Count nothing."""


class Recorder:
    """One writer for the store.

    Records wait in memory only until the transaction under way ends. When the store cannot be written (disk full) they
    are kept, bounded, and tried again; what had to be dropped is told.
    """

    def __init__(self, store: Store, account: Account, count: Callable[[Alert | Decision], None] = _ignore) -> None:
        """Bind the recorder to its surroundings.

        :param count: called for each alert and decision, also for those of a flood that are not told one by one
        """
        self._store = store
        self._account = account
        self._count = count
        self._hear: Callable[[Alert], None] = _ignore
        self._alerts: list[Alert] = []
        self._decisions: list[Decision] = []
        self._flows: list[Flow] = []
        self._calls: list[Callable[[Store], object]] = []
        self._something = asyncio.Event()
        self._submitted = 0
        self._written = 0
        self._progress = asyncio.Condition()
        self._closing = False
        self._told: Memory[str, float] = Memory(_REMEMBERED)
        self._flood = Flood()

    def listen(self, hear: Callable[[Alert], None]) -> None:
        """From now on call ``hear`` with each alert, also with those that were told before; it must not block."""
        self._hear = hear

    def alert(self, alert: Alert) -> None:
        """Record an alert; tell it unless the same was told within the last minute: then the store counts it."""
        self._count(alert)
        self._hear(alert)
        last = self._told.get(alert.key)
        if not alert.key or last is None or alert.at - last >= _TOLD_AGAIN_S:
            self._told[alert.key] = alert.at
            self._account.alerted(alert)
        self._put(self._alerts, alert)

    def decision(self, decision: Decision) -> None:
        """Record a decision in the chained log and tell it; of a flood of refusals the beginning and the number."""
        self._count(decision)
        for kept in self._flood.pass_on(decision):
            self._account.decided(kept)
            self._put(self._decisions, kept)

    def flow(self, flow: Flow) -> None:
        """Add to a flow's counters."""
        self._put(self._flows, flow)

    def call(self, write: Callable[[Store], object]) -> None:
        """Record by calling ``write`` with the store."""
        self._put(self._calls, write)

    async def durable(self) -> None:
        """Return when all that was recorded so far is on disk."""
        target = self._submitted
        async with self._progress:
            await self._progress.wait_for(lambda: self._written >= target)

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, store: Store, account: Account, count: Callable[[Alert | Decision], None] = _ignore
    ) -> AsyncIterator[Self]:
        """Run a recorder for as long as the block lasts; leaving it writes what is left."""
        recorder = cls(store, account, count)
        writing = asyncio.ensure_future(recorder._run())
        try:
            yield recorder
        finally:
            for decision in recorder._flood.rest():
                recorder._put(recorder._decisions, decision)
            recorder._closing = True
            recorder._something.set()
            await writing

    async def _run(self) -> None:
        while not (self._closing and self._written == self._submitted):
            await self._something.wait()
            self._something.clear()
            submitted, batch = self._submitted, self._take()
            while True:
                try:
                    await asyncio.to_thread(self._write, *batch)
                    break
                except StoreError as error:
                    self._account.warn(f"{error.what}; {'given up' if self._closing else 'trying again'}", error.hint)
                    if self._closing:
                        break
                    await asyncio.sleep(_RETRY_S)
            async with self._progress:
                self._written = submitted
                self._progress.notify_all()

    def _put(self, waiting: list[_Record], record: _Record) -> None:
        if len(waiting) >= _MAX_WAITING:
            self._account.warn(f"{len(waiting)} records wait for the store; the oldest is dropped")
            del waiting[0]
        waiting.append(record)
        self._submitted += 1
        self._something.set()

    def _take(self) -> tuple[list[Alert], list[Decision], list[Flow], list[Callable[[Store], object]]]:
        batch = (self._alerts, self._decisions, self._flows, self._calls)
        self._alerts, self._decisions, self._flows, self._calls = [], [], [], []
        return batch

    def _write(
        self,
        alerts: list[Alert],
        decisions: list[Decision],
        flows: list[Flow],
        calls: list[Callable[[Store], object]],
    ) -> None:
        # Each list is emptied once written, so that a retry after an error repeats nothing.
        if decisions:
            self._store.append_decisions(decisions)
            decisions.clear()
        if alerts:
            self._store.add_alerts(alerts)
            alerts.clear()
        if flows:
            self._store.add_flows(flows)
            flows.clear()
        while calls:
            calls[0](self._store)
            del calls[0]
