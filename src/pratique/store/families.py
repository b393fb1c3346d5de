"""What images are made of, and which are condemned or pardoned."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, delete, func, select

from pratique.family import Elements, Fingerprint, sketch_of
from pratique.store.database import Database
from pratique.store.encoding import compress, decompress, text
from pratique.store.schema import CONDEMNED, FAMILIES, FAMILY_BANDS
from pratique.store.upsert import kept, upsert

_CONTENT: Final = 0
_COMMAND: Final = 1
_WHOLE_COMMAND: Final = 2
"""The bands of ``family_bands``: sketches of the image's own content and of its command, and the command as one."""
_AT_ONCE: Final = 500
PARDON: Final = "pardon"
"""The source of a row that says the opposite: a person vouches for the image."""


class Condemnation(Struct, frozen=True):
    """A verdict over an image, by a person or by a finding."""

    image: str
    at: float
    reason: str
    source: str
    """``person``, ``malware`` or ``detonation``; ``pardon`` where a person vouches for the image."""


class Families:
    """One method a question or a fact; each raises :class:`~pratique.errors.StoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, fingerprint: Fingerprint, own: Elements) -> None:
        """Record what an image is made of.

        :param own: what to find it by: elements that are not its base's
        """
        image = text(fingerprint.image)
        buckets = [(_CONTENT, bucket) for bucket in sketch_of(own)]
        buckets += [(_COMMAND, bucket) for bucket in sketch_of(fingerprint.recipe.features())]
        buckets.append((_WHOLE_COMMAND, fingerprint.recipe.bucket()))
        rows: list[dict[str, object]] = [{"band": band, "bucket": bucket, "image": image} for band, bucket in buckets]
        document = compress(fingerprint)
        with self._database.write() as connection:
            upsert(connection, FAMILIES, ["image"], {"image": image, "at": fingerprint.at, "document": document})
            connection.execute(delete(FAMILY_BANDS).where(FAMILY_BANDS.c.image == image))
            upsert(connection, FAMILY_BANDS, ["band", "bucket", "image"], rows)

    def has(self, image_id: str) -> bool:
        """Tell whether an image's fingerprint is there."""
        with self._database.read() as connection:
            return connection.execute(select(FAMILIES.c.at).where(FAMILIES.c.image == image_id)).first() is not None

    def fingerprint(self, image_id: str) -> Fingerprint | None:
        """Return what an image is made of."""
        with self._database.read() as connection:
            return _fingerprint(connection, image_id)

    def fingerprints(self, image_ids: Collection[str]) -> Iterator[Fingerprint]:
        """Yield what images are made of, one at a time: together they may be too many for the memory."""
        for image_id in image_ids:
            fingerprint = self.fingerprint(image_id)
            if fingerprint is not None:
                yield fingerprint

    def commands(self) -> dict[str, int]:
        """Return what each image runs, as a number."""
        query = select(FAMILY_BANDS.c.image, FAMILY_BANDS.c.bucket).where(FAMILY_BANDS.c.band == _WHOLE_COMMAND)
        with self._database.read() as connection:
            return {row.image: row.bucket for row in connection.execute(query)}

    def candidates(self, fingerprint: Fingerprint, limit: int = 200) -> list[str]:
        """Return the ids of images that may be kin of one, those that share most of their sketches first."""
        found: dict[str, int] = {}
        wanted: Mapping[int, list[int]] = {
            _CONTENT: [one >> 1 for one in fingerprint.elements()],
            _COMMAND: [one >> 1 for one in fingerprint.recipe.features()],
        }
        bands = FAMILY_BANDS.c
        with self._database.read() as connection:
            for band, buckets in wanted.items():
                for start in range(0, len(buckets), _AT_ONCE):
                    here = bands.bucket.in_(buckets[start : start + _AT_ONCE])
                    query = select(bands.image, func.count()).where(bands.band == band, here).group_by(bands.image)
                    for image, count in connection.execute(query):
                        found[image] = found.get(image, 0) + count
        found.pop(fingerprint.image, None)
        return sorted(found, key=lambda image: (-found[image], image))[:limit]

    def condemn(self, image_id: str, at: float, reason: str, source: str) -> None:
        """Condemn an image; an image that is condemned already keeps its first reason.

        :param source: ``person``, ``malware`` or ``detonation``. A pardon is taken back by a person only.
        """
        with self._database.write() as connection:
            pardoned = _verdict(connection, image_id)
            if pardoned is not None and pardoned.source == PARDON and source == "person":
                connection.execute(delete(CONDEMNED).where(CONDEMNED.c.image == image_id))
            _put_verdict(connection, Condemnation(image_id, at, reason, source))

    def pardon(self, image_id: str, at: float, reason: str) -> None:
        """Vouch for an image: it is no longer condemned, is nobody's kin, and what is in it condemns nobody."""
        with self._database.write() as connection:
            connection.execute(delete(CONDEMNED).where(CONDEMNED.c.image == image_id))
            _put_verdict(connection, Condemnation(image_id, at, reason, PARDON))

    def condemned(self) -> list[Condemnation]:
        """Return who is condemned, the newest first."""
        return [verdict for verdict in self.verdicts() if verdict.source != PARDON]

    def verdicts(self) -> list[Condemnation]:
        """Return who is condemned or pardoned, the newest first."""
        query = select(CONDEMNED).order_by(CONDEMNED.c.at.desc(), CONDEMNED.c.image)
        with self._database.read() as connection:
            return [Condemnation(row.image, row.at, row.reason, row.source) for row in connection.execute(query)]


def _fingerprint(connection: Connection, image_id: str) -> Fingerprint | None:
    blob = connection.execute(select(FAMILIES.c.document).where(FAMILIES.c.image == image_id)).scalar()
    return None if blob is None else decompress(blob, Fingerprint)


def _verdict(connection: Connection, image_id: str) -> Condemnation | None:
    row = connection.execute(select(CONDEMNED).where(CONDEMNED.c.image == image_id)).first()
    return None if row is None else Condemnation(row.image, row.at, row.reason, row.source)


def _put_verdict(connection: Connection, verdict: Condemnation) -> None:
    values = {
        "image": text(verdict.image),
        "at": verdict.at,
        "reason": text(verdict.reason),
        "source": text(verdict.source),
    }
    upsert(connection, CONDEMNED, ["image"], values, dict.fromkeys(("at", "reason", "source"), kept))
