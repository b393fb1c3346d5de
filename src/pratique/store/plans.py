"""Plans of replacement, whole documents, rewritten after every step."""

from typing import Final

from sqlalchemy import select

from pratique.model import Plan
from pratique.store.database import Database
from pratique.store.encoding import compress, decompress
from pratique.store.schema import PLANS
from pratique.store.upsert import upsert

_MAX_LISTED: Final = 1000


class Plans:
    """The plans in a store; every method raises :class:`~pratique.errors.StoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, plan: Plan) -> None:
        """Save a plan as it stands."""
        row = {"id": plan.id, "at": plan.at, "state": plan.state.value, "document": compress(plan)}
        with self._database.write() as connection:
            upsert(connection, PLANS, ["id"], row)

    def get(self, plan_id: str) -> Plan | None:
        """Return a plan."""
        with self._database.read() as connection:
            blob = connection.execute(select(PLANS.c.document).where(PLANS.c.id == plan_id)).scalar()
        return None if blob is None else decompress(blob, Plan)

    def all(self) -> list[Plan]:
        """Return the plans, the newest first."""
        query = select(PLANS.c.document).order_by(PLANS.c.at.desc()).limit(_MAX_LISTED)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [decompress(row.document, Plan) for row in rows]
