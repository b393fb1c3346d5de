"""Open a SQLite database: settings, migrations, and errors that a person can act on."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from pratique.errors import StoreError
from pratique.store.schema import HEAD

BUSY_TIMEOUT_S: Final = 10.0
"""How long a writer waits for another one (the agent and the command line) before it gives up."""
_MIGRATIONS: Final = Path(__file__).with_name("migrations")
_WRITES: Final = "pratique_writes"


class Database:
    """An open database. ``read`` and ``write`` each give one transaction; both may be used from several threads."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open and migrate.

        :raises StoreError: when the file is missing (read only), damaged, locked, not writable or from a newer version
        """
        self.path = path
        if read_only:
            _require(path)
        else:
            _create(path)
        self._engine = _engine(path, read_only=read_only)
        self._writer = self._engine.execution_options(**{_WRITES: True})
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
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database."""
        with self._errors(), self._engine.begin() as connection:
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
                _upgrade(connection, self.path)

    def _check_revision(self, revision: str) -> None:
        self._check_known(revision)
        if revision != HEAD:
            msg = f"store {self.path} has the schema {revision or 'of an empty file'}, but this program needs {HEAD}"
            raise StoreError(msg, hint="start 'pratique up' or 'pratique agent': it upgrades the store")

    def _check_known(self, revision: str) -> None:
        if revision > HEAD:
            msg = f"store {self.path} was written by a newer version of Pratique (schema {revision})"
            raise StoreError(msg, hint="upgrade Pratique, or set PRATIQUE_STATE_DIR to another directory")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise _explain(self.path, error) from error


def _engine(path: Path, *, read_only: bool) -> Engine:
    # as_uri() escapes the path: a '?' in it must not become an option. SQLAlchemy's own URL would not keep that.
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, record: object) -> None:
        del record
        connection.isolation_level = None  # the driver would begin transactions late and as readers; see _begin
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA trusted_schema=OFF")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes the lock at once: a reader that becomes a writer can fail without waiting (SQLITE_BUSY).
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _require(path: Path) -> None:
    try:
        path.stat()
    except FileNotFoundError as error:
        msg = f"nothing recorded yet: there is no store {path}"
        raise StoreError(msg, hint="start 'pratique up'") from error
    except OSError as error:
        msg = f"store {path} cannot be read: {error.strerror}"
        raise StoreError(msg, hint="run as root, or set PRATIQUE_STATE_DIR to another directory") from error


def _create(path: Path) -> None:
    # The store tells who talks to whom: nobody but its owner reads it. SQLite gives -wal and -shm the same mode.
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        msg = f"store {path} cannot be opened for writing: {error.strerror}"
        raise StoreError(msg, hint="run as root, or set PRATIQUE_STATE_DIR to another directory") from error


def _revision(connection: Connection) -> str:
    """Return the revision of the schema, or '' for an empty database; alembic itself is slow to import."""
    named = connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")).scalar()
    if not named:
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def _upgrade(connection: Connection, path: Path) -> None:
    from alembic import command  # noqa: PLC0415  # 200 ms, needed once in the life of a schema
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        msg = f"store {path} has a schema that is not Pratique's: {error}"
        raise StoreError(msg, hint=f"keep it for inquiry and begin a new one: mv {path} {path}.damaged") from error


def _explain(path: Path, error: SQLAlchemyError) -> StoreError:
    cause = str(error.orig) if isinstance(error, DatabaseError) else str(error).splitlines()[0]
    if "not a database" in cause or "malformed" in cause:
        msg = f"store {path} is damaged: {cause}"
        return StoreError(msg, hint=f"keep it for inquiry and begin a new one: mv {path} {path}.damaged")
    if "locked" in cause:
        msg = f"store {path} is locked by another process for more than {BUSY_TIMEOUT_S:.0f} s"
        return StoreError(msg, hint=f"see who holds it: fuser -v {path}")
    if "unable to open" in cause:
        msg = f"store {path} cannot be opened: {cause}"
        return StoreError(msg, hint="run as root, and check that it is a file")
    if "readonly" in cause:
        msg = f"store {path} cannot be written: {cause}"
        return StoreError(msg, hint="run as root, and check the owner and the mount of its directory")
    if "full" in cause or "disk I/O" in cause:
        msg = f"store {path} cannot be written: {cause}"
        return StoreError(msg, hint=f"make room on the file system of {path.parent}")
    msg = f"store {path} failed: {cause}"
    return StoreError(msg)
