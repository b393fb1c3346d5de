"""Who talked to whom, and what the guard decided."""

from msgspec import Struct

from pratique.hub.desk import Desk
from pratique.hub.views.asks import Cursor, Hours, Limit, Nothing, Text, next_of
from pratique.model import Direction, FlowVerdict, Protocol, Verdict
from pratique.store import ChainCheck, DecisionRecord, FlowRecord
from pratique.store.pages import Filter

_CHECK_KEPT_S = 10.0


class FlowsAsk(Struct, frozen=True):
    """Which flows."""

    verdict: tuple[FlowVerdict, ...] = ()
    image: Text = ""
    container: Text = ""
    address: Text = ""
    hours: Hours = 24
    cursor: Cursor = ""
    limit: Limit = 50


class FlowItem(Struct, frozen=True):
    """All traffic of one container with one peer, added up."""

    id: int
    container: str
    container_name: str
    image: str
    image_name: str
    direction: Direction
    protocol: Protocol
    address: str
    port: int
    verdict: FlowVerdict
    packets: int
    bytes: int
    first_seen: float
    last_seen: float
    command: str


class FlowList(Struct, frozen=True):
    """A page of flows, the newest first."""

    items: tuple[FlowItem, ...]
    next: str


class DecisionsAsk(Struct, frozen=True):
    """Which decisions."""

    verdict: tuple[Verdict, ...] = ()
    rule: Text = ""
    image: Text = ""
    container: Text = ""
    cursor: Cursor = ""
    limit: Limit = 50


class DecisionItem(Struct, frozen=True):
    """A decision and its link in the hash chain."""

    id: int
    at: float
    verdict: Verdict
    rule: str
    subject: str
    reason: str
    source: str
    image: str
    image_name: str
    container: str
    hash: str


class DecisionList(Struct, frozen=True):
    """A page of decisions, the newest first."""

    items: tuple[DecisionItem, ...]
    next: str


def flows(desk: Desk, ask: FlowsAsk) -> FlowList:
    """Return a page of flows."""
    only = Filter(
        since=desk.now() - ask.hours * 3600.0,
        images=(ask.image,) if ask.image else None,
        containers=(ask.container,) if ask.container else None,
        verdicts=[verdict.value for verdict in ask.verdict] or None,
        address=ask.address,
    )
    found = desk.store.pages.flows(ask.limit, ask.cursor, only=only)
    return FlowList(items=flow_items(desk, found), next=next_of(found, ask.limit))


def flow_items(desk: Desk, records: list[FlowRecord]) -> tuple[FlowItem, ...]:
    """Return flows with the names of their images and containers."""
    images = desk.store.pages.names(record.flow.image for record in records)
    containers = desk.store.pages.container_names(record.flow.container for record in records)
    return tuple(
        FlowItem(
            id=record.id,
            container=record.flow.container,
            container_name=containers.get(record.flow.container, ""),
            image=record.flow.image,
            image_name=images.get(record.flow.image, ""),
            direction=record.flow.direction,
            protocol=record.flow.protocol,
            address=record.flow.address,
            port=record.flow.port,
            verdict=record.flow.verdict,
            packets=record.flow.packets,
            bytes=record.flow.bytes,
            first_seen=record.flow.first_seen,
            last_seen=record.flow.last_seen,
            command=record.flow.command,
        )
        for record in records
    )


def decisions(desk: Desk, ask: DecisionsAsk) -> DecisionList:
    """Return a page of decisions."""
    only = Filter(
        images=(ask.image,) if ask.image else None,
        containers=(ask.container,) if ask.container else None,
        verdicts=[verdict.value for verdict in ask.verdict] or None,
        rule=ask.rule,
    )
    found = desk.store.pages.decisions(ask.limit, ask.cursor, only=only)
    return DecisionList(items=decision_items(desk, found), next=next_of(found, ask.limit))


def decision_items(desk: Desk, records: list[DecisionRecord]) -> tuple[DecisionItem, ...]:
    """Return decisions with the names of their images."""
    images = desk.store.pages.names(record.decision.image for record in records)
    return tuple(
        DecisionItem(
            id=record.id,
            at=record.decision.at,
            verdict=record.decision.verdict,
            rule=record.decision.rule,
            subject=record.decision.subject,
            reason=record.decision.reason,
            source=record.decision.source,
            image=record.decision.image,
            image_name=images.get(record.decision.image, ""),
            container=record.decision.container,
            hash=record.hash,
        )
        for record in records
    )


def check_chain(desk: Desk, ask: Nothing) -> ChainCheck:
    """Check the whole chain of decisions; at most every few seconds, since it reads all of it."""
    del ask
    return desk.memory.within(_CHECK_KEPT_S, "chain", desk.store.verify_decisions)
