"""Which containers are to be in quarantine: what is wanted, not what is; the agent makes it so."""

import re
from typing import Final

from msgspec import Struct
from sqlalchemy import delete, select

from pratique.errors import UsageError
from pratique.store.database import Database
from pratique.store.encoding import text
from pratique.store.schema import QUARANTINES
from pratique.store.upsert import kept, upsert

_CONTAINER_ID: Final = re.compile(r"[0-9a-f]{64}")


class Quarantine(Struct, frozen=True):
    """One container, since when, why, and who asked for it."""

    container: str
    """The whole id, 64 hexadecimal digits."""
    at: float
    reason: str = ""
    source: str = ""


class Quarantines:
    """The quarantines in a store; every method raises :class:`~pratique.errors.StoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, quarantine: Quarantine) -> None:
        """Want a container in quarantine; one that is in it already keeps its time.

        :raises UsageError: when the container's id is not a whole one
        """
        if not _CONTAINER_ID.fullmatch(quarantine.container):
            msg = f"{quarantine.container[:80]!r} is not a container id of 64 hexadecimal digits"
            raise UsageError(msg)
        row = {
            "container": quarantine.container,
            "at": quarantine.at,
            "reason": text(quarantine.reason),
            "source": text(quarantine.source),
        }
        with self._database.write() as connection:
            upsert(connection, QUARANTINES, ["container"], row, {"at": kept})

    def remove(self, container_id: str) -> bool:
        """Want a container in quarantine no longer; return whether it was."""
        with self._database.write() as connection:
            done = connection.execute(delete(QUARANTINES).where(QUARANTINES.c.container == container_id))
            return done.rowcount > 0

    def all(self) -> list[Quarantine]:
        """Return every quarantine, the oldest first."""
        query = select(QUARANTINES).order_by(QUARANTINES.c.at, QUARANTINES.c.container)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [Quarantine(row.container, row.at, row.reason, row.source) for row in rows]
