"""Records a page at a time, the newest first: a store holds millions, and a reader looks at fifty.

A cursor is the last row's place: its id in a journal, ``time~id`` among images and containers. ``""`` is the beginning.
"""

import math
from collections.abc import Collection, Iterable
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, Table, and_, false, func, or_, select

from pratique.errors import UsageError
from pratique.inventory import Service, ServiceKind
from pratique.model import Action, Alert, Container, Decision, Flow, ImageIdentity
from pratique.store.database import Database
from pratique.store.encoding import convert, unpack
from pratique.store.records import (
    AlertRecord,
    ContainerRecord,
    DecisionRecord,
    FlowRecord,
    ImageRecord,
    ReportSummary,
)
from pratique.store.schema import ALERTS, CONTAINERS, DECISIONS, FLOWS, IMAGES, REPORTS
from pratique.store.tables import ADDRESSES, IMAGE_NAMES, KNOWN_IMAGES, PLACEMENTS, SERVICES

MAX_PLACEMENTS: Final = 20_000
MAX_NAMES: Final = 1000
"""Images whose names are asked for at once."""


class Filter(Struct, frozen=True):
    """Which records are wanted; what is None or empty does not count."""

    since: float = 0.0
    until: float | None = None
    images: Collection[str] | None = None
    containers: Collection[str] | None = None
    verdicts: Collection[str] | None = None
    rule: str = ""
    at_least: int = 0
    """The rank of a severity."""
    address: str = ""
    after_id: int = 0


_ALL: Final = Filter()


class _Act(Struct, frozen=True):
    """What of an alert is counted."""

    action: Action


class Pages:
    """Pages of what is in a store; every method raises :class:`~pratique.errors.StoreError`.

    :raises UsageError: by each method with a ``cursor``, when it is none
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def images(self, limit: int, cursor: str = "", *, like: str = "") -> list[ImageRecord]:
        """Return images, the one seen last first.

        :param like: part of a name or of an id
        """
        query = _after(_images(), IMAGES, IMAGES.c.last_seen, cursor).limit(limit)
        if like:
            named = select(KNOWN_IMAGES.c.image).join(IMAGE_NAMES, IMAGE_NAMES.c.image == KNOWN_IMAGES.c.number)
            named = named.where(func.lower(IMAGE_NAMES.c.name).contains(like.lower(), autoescape=True))
            query = query.where(or_(IMAGES.c.id.in_(named), IMAGES.c.id.contains(like.lower(), autoescape=True)))
        return [_image(row) for row in self._rows(query)]

    def image_beginning(self, image_id: str) -> ImageRecord | None:
        """Return the image with this id, or with this beginning of an id when there is only one such."""
        found = [_image(row) for row in self._rows(_images().where(_begins(IMAGES.c.id, image_id)).limit(2))]
        return found[0] if len(found) == 1 else None

    def names(self, image_ids: Iterable[str]) -> dict[str, str]:
        """Return the names of the images that are known, by id; of at most :data:`MAX_NAMES`."""
        wanted = sorted(set(image_ids))[:MAX_NAMES]
        query = select(IMAGES.c.id, IMAGES.c.identity).where(IMAGES.c.id.in_(wanted))
        return {row.id: unpack(row.identity, ImageIdentity).name for row in self._rows(query)}

    def container_names(self, container_ids: Iterable[str]) -> dict[str, str]:
        """Return the names of the containers that are known, by id; of at most :data:`MAX_NAMES`."""
        wanted = sorted(set(container_ids))[:MAX_NAMES]
        query = select(CONTAINERS.c.id, CONTAINERS.c.document).where(CONTAINERS.c.id.in_(wanted))
        return {row.id: unpack(row.document, Container).name for row in self._rows(query)}

    def containers(
        self, limit: int, cursor: str = "", *, images: Collection[str] | None = None, gone: bool = False
    ) -> list[ContainerRecord]:
        """Return containers, the newest first.

        :param gone: removed ones as well
        """
        query = _after(select(CONTAINERS), CONTAINERS, CONTAINERS.c.first_seen, cursor).limit(limit)
        if images is not None:
            query = query.where(CONTAINERS.c.image.in_(images))
        if not gone:
            query = query.where(CONTAINERS.c.gone_at.is_(None))
        return [_container(row) for row in self._rows(query)]

    def container(self, container_id: str) -> ContainerRecord | None:
        """Return the container with this id, or with this beginning of an id when there is only one such."""
        query = select(CONTAINERS).where(_begins(CONTAINERS.c.id, container_id)).limit(2)
        found = [_container(row) for row in self._rows(query)]
        return found[0] if len(found) == 1 else None

    def alerts(self, limit: int, cursor: str = "", *, only: Filter = _ALL) -> list[AlertRecord]:
        """Return alerts, the newest first."""
        query = _journal(ALERTS, ALERTS.c.last_at, limit, cursor, only).where(ALERTS.c.rank >= only.at_least)
        if only.rule:
            query = query.where(ALERTS.c.rule == only.rule)
        return [_alert(row) for row in self._rows(query)]

    def alert(self, number: int) -> AlertRecord | None:
        """Return one alert."""
        return next((_alert(row) for row in self._rows(select(ALERTS).where(ALERTS.c.id == number))), None)

    def alerts_since(self, since: float, limit: int) -> list[AlertRecord]:
        """Return the newest alerts that came or were repeated since a time, the oldest news first."""
        query = select(ALERTS).where(ALERTS.c.last_at >= since)
        newest = self._rows(query.order_by(ALERTS.c.last_at.desc(), ALERTS.c.id.desc()).limit(limit))
        return [_alert(row) for row in reversed(newest)]

    def actions(self, since: float, limit: int) -> list[tuple[float, Action, int]]:
        """Return when what was done and how often, of the newest alerts; no more of an alert is read than that."""
        query = select(ALERTS.c.last_at, ALERTS.c.times, ALERTS.c.document).where(ALERTS.c.last_at >= since)
        rows = self._rows(query.order_by(ALERTS.c.last_at.desc()).limit(limit))
        return [(row.last_at, unpack(row.document, _Act).action, row.times) for row in rows]

    def flows(self, limit: int, cursor: str = "", *, only: Filter = _ALL) -> list[FlowRecord]:
        """Return flows, the newest first."""
        query = _journal(FLOWS, FLOWS.c.last_seen, limit, cursor, only)
        if only.verdicts is not None:
            query = query.where(FLOWS.c.verdict.in_(only.verdicts))
        if only.address:
            query = query.where(FLOWS.c.address == only.address)
        return [_flow(row) for row in self._rows(query)]

    def decisions(self, limit: int, cursor: str = "", *, only: Filter = _ALL) -> list[DecisionRecord]:
        """Return decisions, the newest first."""
        query = _journal(DECISIONS, DECISIONS.c.at, limit, cursor, only)
        if only.verdicts is not None:
            query = query.where(DECISIONS.c.verdict.in_(only.verdicts))
        if only.rule:
            query = query.where(DECISIONS.c.rule == only.rule)
        return [_decision(row) for row in self._rows(query)]

    def services_at(self, addresses: Iterable[str]) -> dict[str, Service]:
        """Return the services whose containers have these addresses now."""
        wanted = sorted(set(addresses))[:MAX_NAMES]
        query = select(ADDRESSES.c.address, SERVICES.c.kind, SERVICES.c.name)
        query = query.join_from(ADDRESSES, SERVICES, ADDRESSES.c.service == SERVICES.c.number)
        query = query.where(ADDRESSES.c.address.in_(wanted), ADDRESSES.c.container != "", ADDRESSES.c.until.is_(None))
        return {row.address: Service(ServiceKind(row.kind), row.name) for row in self._rows(query)}

    def service_images(self) -> list[tuple[Service, str]]:
        """Return which images the services have containers of; of at most :data:`MAX_PLACEMENTS`."""
        query = select(SERVICES.c.kind, SERVICES.c.name, KNOWN_IMAGES.c.image)
        query = query.join_from(PLACEMENTS, SERVICES, PLACEMENTS.c.service == SERVICES.c.number)
        query = query.join(KNOWN_IMAGES, PLACEMENTS.c.image == KNOWN_IMAGES.c.number)
        query = query.where(PLACEMENTS.c.present > 0).limit(MAX_PLACEMENTS)
        return [(Service(ServiceKind(row.kind), row.name), row.image) for row in self._rows(query)]

    def last_ids(self) -> tuple[int, int]:
        """Return the ids of the newest flow and the newest decision; 0 where there is none."""
        with self._database.read() as connection:
            flow, decision = (connection.execute(select(func.max(t.c.id))).scalar() for t in (FLOWS, DECISIONS))
        return flow or 0, decision or 0

    def counts(self) -> dict[str, int]:
        """Return how many images, images without a report, containers, and containers nobody admitted there are."""
        here = CONTAINERS.c.gone_at.is_(None)
        unread = select(func.count()).select_from(IMAGES).where(IMAGES.c.id.not_in(select(REPORTS.c.image)))
        queries = {
            "images": select(func.count()).select_from(IMAGES),
            "unscanned": unread,
            "malicious": select(func.count()).select_from(REPORTS).where(REPORTS.c.malware > 0),
            "containers": select(func.sum(PLACEMENTS.c.present)),
            "unadmitted": select(func.count()).select_from(CONTAINERS).where(here, CONTAINERS.c.admitted.is_(False)),
        }
        with self._database.read() as connection:
            return {name: int(connection.execute(query).scalar() or 0) for name, query in queries.items()}

    def _rows(self, query: Select[Any]) -> list[Any]:
        with self._database.read() as connection:
            return list(connection.execute(query).all())


def _images() -> Select[Any]:
    summary = [REPORTS.c[name] for name in ReportSummary.__struct_fields__]
    query = select(IMAGES.c.identity, IMAGES.c.first_seen, IMAGES.c.last_seen, *summary)
    return query.join_from(IMAGES, REPORTS, IMAGES.c.id == REPORTS.c.image, isouter=True)


def _begins(column: ColumnElement[str], digits: str) -> ColumnElement[bool]:
    """Return the condition that an id begins so. LIKE would not use the index; 'g' stands behind every digit."""
    return and_(column >= digits, column < f"{digits}g")


def _journal(table: Table, time: ColumnElement[float], limit: int, cursor: str, only: Filter) -> Select[Any]:
    query = select(table).where(time >= only.since).order_by(table.c.id.desc()).limit(limit)
    if cursor:
        query = query.where(table.c.id < _number(cursor))
    if only.after_id:
        query = query.where(table.c.id > only.after_id)
    if only.until is not None:
        query = query.where(time <= only.until)
    for column, wanted in ((table.c.image, only.images), (table.c.container, only.containers)):
        if wanted is not None:
            query = query.where(column.in_(wanted) if wanted else false())
    return query


def _after(query: Select[Any], table: Table, time: ColumnElement[float], cursor: str) -> Select[Any]:
    query = query.order_by(time.desc(), table.c.id)
    if not cursor:
        return query
    moment, tilde, identifier = cursor.partition("~")
    try:
        at = float(moment)
    except ValueError:
        at = math.nan
    if not tilde or not math.isfinite(at):
        raise _no_cursor(cursor)
    return query.where(or_(time < at, and_(time == at, table.c.id > identifier)))


def place(time: float, identifier: str) -> str:
    """Return the cursor behind an image or a container."""
    return f"{time!r}~{identifier}"


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise _no_cursor(cursor)
    return int(cursor)


def _no_cursor(cursor: str) -> UsageError:
    return UsageError(f"{cursor[:80]!r} is not a cursor", hint="take the 'next' of the page before, or leave it out")


def _image(row: Any) -> ImageRecord:
    summary = None
    if row.scanned_at is not None:
        summary = ReportSummary(*(getattr(row, name) for name in ReportSummary.__struct_fields__))
    return ImageRecord(unpack(row.identity, ImageIdentity), row.first_seen, row.last_seen, summary)


def _container(row: Any) -> ContainerRecord:
    container = unpack(row.document, Container)
    return ContainerRecord(container, row.policy, row.admitted, row.first_seen, row.last_seen, row.gone_at)


def _alert(row: Any) -> AlertRecord:
    return AlertRecord(row.id, unpack(row.document, Alert), row.times, row.last_at)


def _flow(row: Any) -> FlowRecord:
    return FlowRecord(row.id, convert({name: getattr(row, name) for name in Flow.__struct_fields__}, Flow))


def _decision(row: Any) -> DecisionRecord:
    fields = {name: getattr(row, name) for name in Decision.__struct_fields__}
    return DecisionRecord(row.id, convert(fields, Decision), row.hash)
