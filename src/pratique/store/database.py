"""Open a database: one reader and one writer of transactions, migrations, and errors that a person can act on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from pratique.errors import EmptyStoreError, StoreError
from pratique.store.postgres import PostgresServer
from pratique.store.schema import HEAD
from pratique.store.sqlite import SqliteFile

_MIGRATIONS: Final = Path(__file__).with_name("migrations")
_INVENTORY: Final = "0003"
"""The revision that brings the inventory's tables."""


class Database:
    """An open database. ``read`` and ``write`` each give one transaction; both may be used from several threads."""

    def __init__(
        self, where: Path | str, *, read_only: bool = False, fill: Callable[[Connection], None] | None = None
    ) -> None:
        """Open and migrate.

        :param fill: called after an upgrade that brings the inventory's tables, within its transaction: fills them
        :param where: a path for SQLite, a URL for PostgreSQL
        :raises StoreError: when it is missing (read only), damaged, locked, not writable or from a newer version
        """
        self._place = PostgresServer(where) if isinstance(where, str) else SqliteFile(where)
        self._reader, self._writer = self._place.engines(read_only=read_only)
        self._fill = fill
        try:
            if read_only:
                with self.read() as connection:
                    self._check_revision(_revision(connection))
            else:
                self._migrate()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection."""
        self._reader.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database."""
        with self._errors(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give the only connection that writes now; the transaction is on the disk when the block has ended."""
        with self._errors(), self._writer.begin() as connection:
            yield connection

    def _migrate(self) -> None:
        with self.read() as connection:
            revision = _revision(connection)
        if revision == HEAD:
            return
        with self.write() as connection:
            revision = _revision(connection)  # another process may have migrated while this one waited for the lock
            if revision != HEAD:
                self._check_known(revision)
                self._upgrade(connection)
                if "" < revision < _INVENTORY and self._fill is not None:
                    self._fill(connection)

    def _check_revision(self, revision: str) -> None:
        self._check_known(revision)
        if not revision:
            msg = f"nothing recorded yet: store {self._place.name} is empty"
            raise EmptyStoreError(msg)
        if revision != HEAD:
            msg = f"store {self._place.name} has the schema {revision}, but this program needs {HEAD}"
            raise StoreError(msg, hint="start 'pratique up' or 'pratique agent': it upgrades the store")

    def _check_known(self, revision: str) -> None:
        if revision > HEAD:
            msg = f"store {self._place.name} was written by a newer version of Pratique (schema {revision})"
            raise StoreError(msg, hint="upgrade Pratique, or keep the store elsewhere: see docs/configuration.md")

    def _upgrade(self, connection: Connection) -> None:
        from alembic import command  # noqa: PLC0415  # 200 ms, needed once in the life of a schema
        from alembic.config import Config  # noqa: PLC0415
        from alembic.util import CommandError  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            msg = f"store {self._place.name} has a schema that is not Pratique's: {error}"
            raise StoreError(msg, hint=self._place.damaged_hint) from error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._place.explain(error.orig or error) from error
        except SQLAlchemyError as error:
            raise self._place.explain(error) from error


def _revision(connection: Connection) -> str:
    """Return the revision of the schema, or '' for an empty database; alembic itself is slow to import."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")
