"""Which packages' code containers opened, and since when anybody looked."""

from collections.abc import Collection, Iterator
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Column, Connection, Select, delete, or_, select

from pratique.model import ImageCode, ImageId, PackageCode
from pratique.store.database import Database
from pratique.store.encoding import compress, decompress, text
from pratique.store.schema import CONTAINERS, IMAGE_CODE, LOADABLE, OPENED, WATCHED
from pratique.store.upsert import kept, upsert

_AT_ONCE: Final = 500


class OpenedCode(Struct, frozen=True):
    """A container opened a file of a package: the first one that was seen."""

    container: str
    package: str
    version: str
    source: str
    path: str
    at: float


class OpenedFiles:
    """One method a question or a fact; each raises :class:`~pratique.errors.StoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_code(self, code: ImageCode) -> None:
        """Record which files are the code of an image's packages."""
        image = text(code.image)
        names = sorted({(text(package.name), text(package.source)) for package in code.packages})
        rows: list[dict[str, object]] = [{"image": image, "package": name, "source": source} for name, source in names]
        with self._database.write() as connection:
            values = {"image": image, "at": code.at, "document": compress(code)}
            upsert(connection, IMAGE_CODE, ["image"], values)
            connection.execute(delete(LOADABLE).where(LOADABLE.c.image == image))
            upsert(connection, LOADABLE, ["image", "package", "source"], rows)

    def code(self, image_id: str) -> ImageCode:
        """Return the code of an image's packages; of none where it is not known."""
        with self._database.read() as connection:
            blob = connection.execute(select(IMAGE_CODE.c.document).where(IMAGE_CODE.c.image == image_id)).scalar()
        return ImageCode(ImageId(image_id), 0.0) if blob is None else decompress(blob, ImageCode)

    def watch(self, container_id: str, image_id: str, since: float) -> None:
        """Record that a container is watched from its start on."""
        values = {"container": text(container_id), "image": text(image_id), "since": since}
        with self._database.write() as connection:
            upsert(connection, WATCHED, ["container"], values)

    def forget_watched(self) -> None:
        """Record that something was missed, of nobody knows whom."""
        with self._database.write() as connection:
            connection.execute(delete(WATCHED))

    def put(self, container_id: str, package: PackageCode, path: str, at: float) -> None:
        """Record that a container opened a file of a package; the first one stays."""
        values = {
            "container": text(container_id),
            "package": text(package.name),
            "source": text(package.source),
            "version": text(package.version),
            "path": text(path),
            "at": at,
        }
        keys = ["container", "package", "source"]
        with self._database.write() as connection:
            upsert(connection, OPENED, keys, values, dict.fromkeys(("version", "path", "at"), kept))

    def prune(self, before: float) -> None:
        """Forget containers that were removed before a time."""
        gone = select(CONTAINERS.c.id).where(CONTAINERS.c.gone_at < before)
        with self._database.write() as connection:
            for table in (OPENED, WATCHED):
                connection.execute(delete(table).where(table.c.container.in_(gone)))

    def opened(self, container_ids: Collection[str], names: Collection[str]) -> list[OpenedCode]:
        """Return what containers opened of packages.

        :param names: of packages, or of source packages
        """
        query = select(OPENED).where(or_(OPENED.c.package.in_(names), OPENED.c.source.in_(names)))
        query = query.order_by(OPENED.c.container, OPENED.c.package)
        with self._database.read() as connection:
            return [
                OpenedCode(row.container, row.package, row.version, row.source, row.path, row.at)
                for some in _some(container_ids)
                for row in connection.execute(query.where(OPENED.c.container.in_(some)))
            ]

    def loaded(self, container_ids: Collection[str], names: Collection[str]) -> dict[str, bool]:
        """Return which containers have the code of a package loaded: True, False, or, where nobody knows, nothing.

        False: it was watched from its start, the package tells which files are its own, and none of them was opened.

        :param names: of packages, or of source packages
        """
        loadable = or_(LOADABLE.c.package.in_(names), LOADABLE.c.source.in_(names))
        watched = select(WATCHED.c.container).join(LOADABLE, LOADABLE.c.image == WATCHED.c.image).where(loadable)
        opened = select(OPENED.c.container).where(or_(OPENED.c.package.in_(names), OPENED.c.source.in_(names)))
        with self._database.read() as connection:
            found = dict.fromkeys(_containers(connection, watched, WATCHED.c.container, container_ids), False)
            return found | dict.fromkeys(_containers(connection, opened, OPENED.c.container, container_ids), True)


def _containers(
    connection: Connection, query: Select[Any], column: Column[Any], container_ids: Collection[str]
) -> Iterator[str]:
    for some in _some(container_ids):
        for row in connection.execute(query.where(column.in_(some))):
            yield row.container


def _some(container_ids: Collection[str]) -> Iterator[list[str]]:
    ids = list(container_ids)
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]
