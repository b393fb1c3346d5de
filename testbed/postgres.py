"""A PostgreSQL server of one's own, to be thrown away: Debian's programs, a cluster in ``/tmp``, a Unix socket only."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
from psycopg import sql

_USER: Final = "postgres"
_READY_S: Final = 60.0


def programs() -> Path | None:
    """Return the folder of the newest server's programs; Debian does not put them on the path."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0), default=None)


class ThrowAwayPostgres:
    """A running server, as a context manager.

    :param durable: wait for the disk as a real server does; tests need not
    :param data: where the cluster is kept afterwards, or was kept; None: nowhere
    :param settings: more of ``postgresql.conf``, ``name=value``
    """

    def __init__(self, *, durable: bool = False, data: Path | None = None, settings: tuple[str, ...] = ()) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pratique-postgres-"))
        self._data = data or self.folder / "data"
        self._programs = programs()
        self._user = _USER if os.geteuid() == 0 else None
        self._settings = ("listen_addresses=", f"unix_socket_directories={self.folder}", *settings)
        if not durable:
            self._settings += ("fsync=off", "full_page_writes=off")
        self._server: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres", *, user: str = _USER, password: str = "") -> str:
        """Return the URL of a database."""
        secret = f":{password}" if password else ""
        return f"postgresql+psycopg://{user}{secret}@/{database}?host={self.folder}"

    def database(self, *, like: str = "template1") -> str:
        """Create a database, empty or a copy of another that nobody has open, and return its URL."""
        name = f"d{secrets.token_hex(6)}"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self.execute(create.format(sql.Identifier(name), sql.Identifier(like)))
        return self.url(name)

    def execute(self, statement: sql.SQL | sql.Composed, database: str = "postgres") -> None:
        """Run one statement, in a transaction of its own."""
        with psycopg.connect(host=str(self.folder), user=_USER, dbname=database, autocommit=True) as connection:
            connection.execute(statement)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        assert self._programs is not None
        options = [part for setting in self._settings for part in ("-c", setting)]
        log = (self.folder / "log").open("ab")
        self._server = subprocess.Popen(
            [self._programs / "postgres", "-D", self._data, *options], user=self._user, stdout=log, stderr=log
        )
        log.close()
        deadline = time.monotonic() + _READY_S
        while True:
            try:
                self.execute(sql.SQL("SELECT 1"))
            except psycopg.OperationalError:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop the server, without waiting for its clients; its data stays."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait()
            self._server = None

    def __enter__(self) -> Self:
        assert self._programs is not None, "PostgreSQL is not installed"
        try:
            if self._user is not None:
                shutil.chown(self.folder, self._user)
            if not (self._data / "PG_VERSION").exists():
                self._initialise()
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _initialise(self) -> None:
        assert self._programs is not None
        self._data.mkdir(parents=True, exist_ok=True)
        if self._user is not None:
            shutil.chown(self._data, self._user)
        options = ["-U", _USER, "-A", "trust", "-N", "-E", "UTF8", "--locale=C"]
        command: list[str | Path] = [self._programs / "initdb", "-D", self._data, *options]
        subprocess.run(command, user=self._user, cwd="/", check=True, capture_output=True)

    def _remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
