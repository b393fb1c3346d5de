"""A store in a PostgreSQL database: its settings, and its errors in words that a person can act on."""

from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from pratique.errors import StoreError

LOCK_TIMEOUT_S: Final = 10
"""How long a writer waits for another one before it gives up."""
CONNECT_TIMEOUT_S: Final = 5
_DRIVER: Final = "postgresql+psycopg"
_EXAMPLE: Final = "store_url is like postgresql+psycopg://user:password@host/database"
_WRITER_LOCK: Final = int.from_bytes(b"pratique", "big")
_PLAIN: Final = {
    "53100": ("cannot be written", "make room on the file system of the server's data directory"),
    "25006": ("cannot be written", "the server or the user is read-only: choose the primary server"),
    "42501": ("is not permitted", "the user must own the database, or have been granted CREATE on its schema"),
    "55P03": ("is locked by another writer", "see who holds it: SELECT * FROM pg_stat_activity"),
    "53300": ("has no connection left", "raise the server's max_connections"),
    "57P03": ("is starting or stopping", "try again in a moment"),
}
"""What an SQLSTATE means for a store, and what to do (PostgreSQL documentation, appendix A)."""


class PostgresServer:
    """Where a store is: a database of a PostgreSQL server."""

    def __init__(self, url: str) -> None:
        """Read the URL.

        :raises StoreError: when it is not one of PostgreSQL; the text never holds its password
        """
        self._url = _parse(url)
        shown = self._url.set(query={key: value for key, value in self._url.query.items() if key == "host"})
        self.name = shown.render_as_string(hide_password=True)  # libpq takes a password as an option as well

    @property
    def damaged_hint(self) -> str:
        """What to do with a store that cannot be used any more."""
        return "keep it for inquiry, and name another database in PRATIQUE_STORE_URL"

    def engines(self, *, read_only: bool) -> tuple[Engine, Engine]:
        """Return an engine to read with and one to write with; nothing is connected yet.

        :raises StoreError: when the driver is not installed
        """
        url = self._url
        if "connect_timeout" not in url.query:
            url = url.update_query_dict({"connect_timeout": str(CONNECT_TIMEOUT_S)})
        try:
            engine = create_engine(url, pool_pre_ping=True)
        except ImportError as error:
            msg = f"store {self.name} needs the driver psycopg"
            raise StoreError(msg, hint="pip install 'pratique[postgres]'") from error
        _configure(engine)
        reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        writer = engine.execution_options(isolation_level="READ COMMITTED", postgresql_readonly=read_only)
        if not read_only:
            _one_writer(writer)
        return reader, writer

    def explain(self, cause: BaseException) -> StoreError:
        """Return the error of the driver as one of ours."""
        # libpq's messages span lines and repeat themselves for each address of a host.
        text = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        state = getattr(cause, "sqlstate", None)
        if state in _PLAIN:
            what, hint = _PLAIN[state]
            return StoreError(f"store {self.name} {what}: {text}", hint=hint)
        if "authentication failed" in text or "pg_hba.conf" in text or "no password supplied" in text:
            return StoreError(
                f"store {self.name} refuses this user: {text}", hint="check user and password in store_url"
            )
        if "database" in text and "does not exist" in text:
            return StoreError(f"store {self.name} does not exist", hint=f"createdb {self._url.database}")
        if "connection" in text or "server" in text or "resolve host" in text:
            hint = "check that the server runs, and that store_url names it"
            return StoreError(f"store {self.name} cannot be reached: {text}", hint=hint)
        return StoreError(f"store {self.name} failed: {text}", hint="the server's log tells more")


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError as error:
        msg = "store_url is not a URL"
        raise StoreError(msg, hint=_EXAMPLE) from error
    if url.drivername not in {_DRIVER, "postgresql", "postgres"}:
        msg = f"a store cannot be in {url.drivername!r}, only in SQLite or PostgreSQL"
        raise StoreError(msg, hint=_EXAMPLE)
    if not url.database:
        msg = f"store {url.render_as_string(hide_password=True)} names no database"
        raise StoreError(msg, hint=_EXAMPLE)
    return url.set(drivername=_DRIVER)


def _configure(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _settings(connection: Any, record: object) -> None:
        del record
        connection.execute("SET synchronous_commit = on")  # what was acknowledged is on the disk
        connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'")
        connection.execute("SET jit = off")  # it costs more than our short questions
        connection.commit()


def _one_writer(writer: Engine) -> None:
    """Let one writer in at a time, as SQLite does.

    The chain of decisions needs that, ids become visible in their order so that who follows them misses none, and
    batches that touch the same rows in another order cannot block each other for ever.
    """

    @event.listens_for(writer, "begin")
    def _lock(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")
