"""A store in a SQLite file: its settings, and its errors in words that a person can act on."""

import os
import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from pratique.errors import EmptyStoreError, StoreError

BUSY_TIMEOUT_S: Final = 10.0
"""How long a writer waits for another one (the agent and the command line) before it gives up."""
_WRITES: Final = "pratique_writes"
_OTHER_PLACE: Final = "run as root, or set PRATIQUE_STATE_DIR to another directory"


class SqliteFile:
    """Where a store is: a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    @property
    def damaged_hint(self) -> str:
        """What to do with a store that cannot be used any more."""
        return f"keep it for inquiry and begin a new one: mv {self.path} {self.path}.damaged"

    def engines(self, *, read_only: bool) -> tuple[Engine, Engine]:
        """Return an engine to read with and one to write with; create the file unless ``read_only``.

        :raises StoreError: when the file is missing or not accessible
        """
        if read_only:
            _require(self.path)
        else:
            _create(self.path)
        engine = _engine(self.path, read_only=read_only)
        return engine, engine.execution_options(**{_WRITES: True})

    def explain(self, cause: BaseException) -> StoreError:
        """Return the error of the driver as one of ours."""
        path, text = self.path, str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        if "not a database" in text or "malformed" in text:
            return StoreError(f"store {path} is damaged: {text}", hint=self.damaged_hint)
        if "locked" in text:
            msg = f"store {path} is locked by another process for more than {BUSY_TIMEOUT_S:.0f} s"
            return StoreError(msg, hint=f"see who holds it: fuser -v {path}")
        if "unable to open" in text:
            return StoreError(f"store {path} cannot be opened: {text}", hint="run as root, and check that it is a file")
        if "readonly" in text:
            hint = "run as root, and check the owner and the mount of its directory"
            return StoreError(f"store {path} cannot be written: {text}", hint=hint)
        if "full" in text or "disk I/O" in text:
            msg = f"store {path} cannot be written: {text}"
            return StoreError(msg, hint=f"make room on the file system of {path.parent}")
        return StoreError(f"store {path} failed: {text}")


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
        raise EmptyStoreError(msg) from error
    except OSError as error:
        msg = f"store {path} cannot be read: {error.strerror}"
        raise StoreError(msg, hint=_OTHER_PLACE) from error


def _create(path: Path) -> None:
    # The store tells who talks to whom: nobody but its owner reads it. SQLite gives -wal and -shm the same mode.
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        msg = f"store {path} cannot be opened for writing: {error.strerror}"
        raise StoreError(msg, hint=_OTHER_PLACE) from error
