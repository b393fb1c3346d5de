"""What the world outside was told of: for each receiver the last alert, so that a restart skips nothing."""

from typing import Final

from sqlalchemy import func, select

from pratique.model import Alert, Severity
from pratique.store.database import Database
from pratique.store.encoding import text, unpack
from pratique.store.records import AlertRecord
from pratique.store.schema import ALERTS, STATE
from pratique.store.upsert import upsert

_PREFIX: Final = "told:"


class Outbox:
    """The alerts in a store, in the order in which they are told; every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self) -> int:
        """Return the id of the newest alert, 0 when there is none."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.max(ALERTS.c.id))).scalar() or 0)

    def alerts(self, after: int, until: int, at_least: Severity, limit: int) -> list[AlertRecord]:
        """Return the first alerts, at most ``limit``, with ``after`` < id <= ``until``."""
        query = (
            select(ALERTS.c.id, ALERTS.c.document, ALERTS.c.times, ALERTS.c.last_at)
            .where(ALERTS.c.id > after, ALERTS.c.id <= until, ALERTS.c.rank >= at_least.rank)
            .order_by(ALERTS.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [AlertRecord(row.id, unpack(row.document, Alert), row.times, row.last_at) for row in rows]

    def told(self, receiver: str) -> int | None:
        """Return the id of the last alert that a receiver was told of, None for a new receiver."""
        with self._database.read() as connection:
            value = connection.execute(select(STATE.c.value).where(STATE.c.key == _PREFIX + text(receiver))).scalar()
        return int(value) if value is not None else None

    def set_told(self, receiver: str, alert: int) -> None:
        """Record the last alert that a receiver was told of."""
        with self._database.write() as connection:
            upsert(connection, STATE, ["key"], {"key": _PREFIX + text(receiver), "value": str(alert)})
