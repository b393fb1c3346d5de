"""What happens, as it happens: one task looks into the store, and every open page hears of it.

A store may be written by another process and on another machine, so it is asked, a few times a second, for what is
new; what that costs does not grow with the number of pages.
"""

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import anyio.to_thread
import msgspec
from msgspec import Struct

from pratique.errors import PratiqueError
from pratique.hub.desk import Desk
from pratique.hub.problems import TooManyError
from pratique.hub.views.alerts import AlertItem, alert_items
from pratique.hub.views.containers import ContainerItem, container_items
from pratique.hub.views.flows import DecisionItem, FlowItem, decision_items, flow_items
from pratique.hub.views.service_map import MapAsk, draw, refused_now
from pratique.model import Action
from pratique.store.pages import Filter

_LOG: Final = logging.getLogger(__name__)
MAX_LISTENERS: Final = 32
MAX_OF_ONE: Final = 8
"""Streams of one session or token: it leaves others theirs. A browser has no more than six to one place."""
_LOOK_EVERY_S: Final = 0.25
_REST_S: Final = 1.0
"""Between two looks when nobody listens."""
_BEAT_S: Final = 10.0
_REPLAYED_S: Final = 5.0
"""What is so new is told to a page that begins to listen: it happened while the page was on its way."""
_LATE_S: Final = 3.0
"""An alert may come into the store so much later than its time says."""
_AT_ONCE: Final = 100
"""Of a flood the newest are told: a page that lagged behind would be of no use."""
_WAITING: Final = 500
"""Events for one page; a browser that takes none of them is let go."""
_REMEMBERED: Final = 5000
_PAUSE: Final = 10
"""The map is drawn again after so many times as long as drawing it took."""

Row = Callable[[str, Struct], str]


class Told(Struct, frozen=True):
    """One event: a row of a table, and the same as the API tells it."""

    html: str
    data: object


class Looker:
    """Finds what is new in the store since it looked the last time. Runs in a thread."""

    def __init__(self, desk: Desk, row: Row) -> None:
        self._desk = desk
        self._row = row
        self._flow, self._decision = desk.store.pages.last_ids()
        self._since = desk.now() - _REPLAYED_S
        self._alerts: OrderedDict[int, int] = OrderedDict()
        self._containers: dict[str, ContainerItem] | None = None
        self._edges = {edge.id: edge.refused for edge in draw(desk, MapAsk()).edges}
        self._map_earliest = 0.0
        self._map_is_old = self._struck = False

    def look(self) -> list[bytes]:
        """Return the events since the last look, ready to be sent."""
        alerts, flows = self._new_alerts(), self._new_flows()
        news = (
            ("alert", alerts),
            ("flow", flows),
            ("decision", self._new_decisions()),
            ("container", self._new_containers()),
        )
        events = [_event(kind, Told(self._row(kind, item), item)) for kind, items in news for item in items]
        self._struck |= any(item.action is Action.DENIED for item in alerts)
        self._map_is_old |= self._struck or bool(flows)
        if self._map_is_old and time.monotonic() >= self._map_earliest:
            events += [_event("flow", Told("", change)) for change in self._map_changes()]
        return events

    def _map_changes(self) -> list[object]:
        """Return what is new on the map: edges, and edges on which something was refused.

        A large map costs much, so it is drawn again only after ten times as long as it took.
        """
        began = time.monotonic()
        drawn = draw(self._desk, MapAsk())
        before, self._edges = self._edges, {edge.id: edge.refused for edge in drawn.edges}
        now = {edge.id for edge in refused_now(self._desk, MapAsk().hours)} if self._struck else set()
        self._map_is_old = self._struck = False
        nodes = {node.id: node for node in drawn.nodes}
        self._map_earliest = time.monotonic() + _PAUSE * (time.monotonic() - began)
        changes: list[object] = []
        for edge in drawn.edges:
            struck_now = edge.id in now or edge.refused > before.get(edge.id, 0)
            if struck_now or edge.id not in before:
                told = {**msgspec.structs.asdict(edge), "struck": struck_now}
                changes.append({"nodes": [nodes[edge.source], nodes[edge.target]], "edge": told})
        return changes

    def _new_alerts(self) -> list[AlertItem]:
        records = self._desk.store.pages.alerts_since(self._since, _AT_ONCE)
        fresh = [record for record in records if self._alerts.get(record.id) != record.count]
        for record in fresh:
            self._alerts[record.id] = record.count
            self._alerts.move_to_end(record.id)
        while len(self._alerts) > _REMEMBERED:
            self._alerts.popitem(last=False)
        newest = max((record.last_at for record in records), default=self._since)
        self._since = max(self._since, newest - _LATE_S)
        return list(alert_items(self._desk, fresh))

    def _new_flows(self) -> list[FlowItem]:
        records = self._desk.store.pages.flows(_AT_ONCE, only=Filter(after_id=self._flow))
        self._flow = max((record.id for record in records), default=self._flow)
        return list(flow_items(self._desk, records[::-1]))

    def _new_decisions(self) -> list[DecisionItem]:
        records = self._desk.store.pages.decisions(_AT_ONCE, only=Filter(after_id=self._decision))
        self._decision = max((record.id for record in records), default=self._decision)
        return list(decision_items(self._desk, records[::-1]))

    def _new_containers(self) -> list[ContainerItem]:
        items = container_items(self._desk, self._desk.store.pages.containers(_AT_ONCE, gone=True))
        now = {item.id: item for item in items}
        before, self._containers = self._containers, now
        return [] if before is None else [item for item in reversed(items) if before.get(item.id) != item]


class Broadcast:
    """One look for everybody who listens."""

    def __init__(self, desk: Desk, row: Row) -> None:
        self._desk = desk
        self._row = row
        self._listeners: dict[asyncio.Queue[bytes], str] = {}
        """What waits for each page, and whose it is."""
        self._over = False
        self._recent: deque[tuple[float, bytes]] = deque(maxlen=_WAITING)
        self._wanted = asyncio.Event()

    async def run(self) -> None:
        """Look and tell, for ever; a store that cannot be read now is tried again."""
        looker: Looker | None = None
        while True:
            try:
                if looker is None:
                    looker = await anyio.to_thread.run_sync(Looker, self._desk, self._row)
                self._tell(await anyio.to_thread.run_sync(looker.look))
            except PratiqueError:  # told by whatever page is asked for
                await asyncio.sleep(_REST_S)
            except Exception:  # noqa: BLE001  # a mistake of ours must not end what every page listens to
                _LOG.exception("looking for what is new")
                await asyncio.sleep(_REST_S)
            await self._rest()

    async def _rest(self) -> None:
        if self._listeners:
            await asyncio.sleep(_LOOK_EVERY_S)
            return
        self._wanted.clear()
        try:
            async with asyncio.timeout(_REST_S):
                await self._wanted.wait()
        except TimeoutError:
            pass

    def _tell(self, events: list[bytes]) -> None:
        now = time.monotonic()
        self._recent.extend((now, event) for event in events)
        for listener in list(self._listeners):
            for event in events:
                try:
                    listener.put_nowait(event)
                except asyncio.QueueFull:
                    del self._listeners[listener]
                    break

    @contextmanager
    def _listening(self, owner: str) -> Iterator[asyncio.Queue[bytes]]:
        queue: asyncio.Queue[bytes] = asyncio.Queue(_WAITING + 1)
        begin = time.monotonic() - _REPLAYED_S
        for at, event in self._recent:
            if at >= begin:
                queue.put_nowait(event)
        self._listeners[queue] = owner
        self._wanted.set()
        try:
            yield queue
        finally:
            self._listeners.pop(queue, None)

    def stream(self, holds: Callable[[], bool], owner: str) -> AsyncIterator[bytes]:
        """Return the events for one page, for as long as ``holds`` says so.

        :param owner: whose page it is
        :raises TooManyError: when too many pages are open
        """
        if not self._has_room(owner):
            msg = f"{MAX_OF_ONE} pages of yours or {MAX_LISTENERS} in all are open already"
            raise TooManyError(msg, hint="close some; they show what is new only when they are loaded again")
        return self._stream(holds, owner)

    def end(self) -> None:
        """Let all pages go: the console ends."""
        self._over = True
        for listener in self._listeners:
            with suppress(asyncio.QueueFull):
                listener.put_nowait(b"")

    def _has_room(self, owner: str) -> bool:
        own = sum(other == owner for other in self._listeners.values())
        return len(self._listeners) < MAX_LISTENERS and own < MAX_OF_ONE

    async def _stream(self, holds: Callable[[], bool], owner: str) -> AsyncIterator[bytes]:
        if not self._has_room(owner):  # many asked at once, and this one comes after those who found room
            return
        with self._listening(owner) as queue:
            yield b"retry: 2000\n\n"
            while holds() and queue in self._listeners and not self._over:
                try:
                    async with asyncio.timeout(_BEAT_S):
                        event = await queue.get()
                except TimeoutError:
                    event = b": beat\n\n"
                yield event


def _event(kind: str, told: Told) -> bytes:
    """Return an event as text/event-stream has it (WHATWG HTML, server-sent events); JSON has no line breaks."""
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode(told) + b"\n\n"
