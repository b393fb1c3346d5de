"""What images did in the sandbox."""

from sqlalchemy import select

from pratique.model import Behaviour, Detonation
from pratique.store.database import Database
from pratique.store.encoding import compress, decompress, text
from pratique.store.schema import DETONATIONS
from pratique.store.upsert import upsert


class Detonations:
    """One method a question or a fact; each raises :class:`~pratique.errors.StoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, detonation: Detonation) -> None:
        """Record a detonation; one that is older than the image's newest changes nothing."""
        row = {
            "image": text(detonation.image.id),
            "detonated_at": detonation.detonated_at,
            "verdict": detonation.verdict.value,
            "document": compress(detonation),
        }
        with self._database.write() as connection:
            upsert(connection, DETONATIONS, ["image"], row, newer="detonated_at")

    def get(self, image_id: str) -> Detonation | None:
        """Return the newest detonation of an image."""
        query = select(DETONATIONS.c.document).where(DETONATIONS.c.image == image_id)
        with self._database.read() as connection:
            blob = connection.execute(query).scalar()
        return None if blob is None else decompress(blob, Detonation)

    def verdicts(self) -> dict[str, Behaviour]:
        """Return the verdict over each image that was detonated."""
        with self._database.read() as connection:
            rows = connection.execute(select(DETONATIONS.c.image, DETONATIONS.c.verdict)).all()
        known = {behaviour.value: behaviour for behaviour in Behaviour}
        return {row.image: known[row.verdict] for row in rows if row.verdict in known}

    def list(self) -> list[Detonation]:
        """Return all, the newest first."""
        query = select(DETONATIONS.c.document).order_by(DETONATIONS.c.detonated_at.desc(), DETONATIONS.c.image)
        with self._database.read() as connection:
            blobs = connection.execute(query).scalars().all()
        return [decompress(blob, Detonation) for blob in blobs]
