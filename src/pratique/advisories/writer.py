"""Writes the rows of a new database file."""

import sqlite3
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import astuple

from pratique.advisories import schema
from pratique.advisories.database import Feed
from pratique.advisories.ecosystem import family
from pratique.advisories.exploits import EPSS, FEEDS, KEV, Exploits
from pratique.advisories.osv import Advisory
from pratique.model import Severity

_EXPLOITS: Final = {
    KEV: "INSERT OR REPLACE INTO kev VALUES (?, ?, ?)",
    EPSS: "INSERT OR REPLACE INTO epss VALUES (?, ?, ?)",
}
_RANKS: Final = {severity: severity.rank for severity in Severity}


class Mark(Struct, frozen=True):
    """A place between two imports."""

    advisory: int
    affected: int


class Writer:
    """Fills an empty file. Nothing is journalled: a file that was not finished is thrown away."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._packages: dict[tuple[str, str], int] = {}
        self._advisories = 0
        self._affected = 0
        connection.create_function("family", 1, family, deterministic=True)
        connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + schema.TABLES + schema.EXPLOITS
        )
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION}")
        connection.execute("BEGIN")

    def write(self, advisory: Advisory) -> None:
        """Write an advisory with all packages that it names."""
        self._advisories += 1
        number = self._advisories
        self._connection.execute(
            "INSERT INTO advisory VALUES (?, ?, ?, ?)",
            (number, advisory.id, "\n".join(advisory.aliases), advisory.title),
        )
        rows = [
            (self._package(affected.ecosystem, affected.name), span.low, span.high, span.fixed, rank, number)
            for affected in advisory.affected
            for rank in (_RANKS[affected.severity],)
            for span in affected.spans
        ]
        self._affected += len(rows)
        self._connection.executemany("INSERT INTO affected VALUES (?, ?, ?, ?, ?, ?)", rows)

    def write_exploits(self, exploits: Exploits) -> None:
        """Write what a feed tells of exploitation."""
        self._connection.executemany(_EXPLOITS[exploits.feed], exploits.rows)

    def _package(self, ecosystem: str, name: str) -> int:
        number = self._packages.get((ecosystem, name))
        if number is None:
            number = self._packages[ecosystem, name] = len(self._packages) + 1
            self._connection.execute("INSERT INTO package VALUES (?, ?, ?)", (number, ecosystem, name))
        return number

    def write_feeds(self, feeds: Iterable[Feed]) -> None:
        """Write what each ecosystem was taken from, after the last advisory; drop packages left without rows."""
        self._connection.execute("DELETE FROM package WHERE number NOT IN (SELECT package FROM affected)")
        self._connection.executemany("INSERT INTO feed VALUES (?, ?, ?, ?, ?, ?)", map(astuple, feeds))

    def mark(self) -> Mark:
        """Return the place where the next import begins."""
        return Mark(self._advisories, self._affected)

    def drop_others(self, kept: str, *, since: Mark) -> None:
        """Drop what was written since a mark about other ecosystems than one; their own feeds speak for them."""
        self._connection.execute(
            "DELETE FROM affected WHERE rowid > ?"
            " AND package IN (SELECT number FROM package WHERE family(ecosystem) <> ?)",
            (since.affected, kept),
        )
        self._connection.execute(
            "DELETE FROM advisory WHERE number > ? AND number NOT IN (SELECT advisory FROM affected WHERE rowid > ?)",
            (since.advisory, since.affected),
        )

    def keep_others(self, database: Path, replaced: Collection[str]) -> None:
        """Copy the rows of the ecosystems that are not replaced from the old database."""
        run = self._connection.execute
        run("COMMIT")
        run("ATTACH ? AS old", (f"{database.absolute().as_uri()}?mode=ro&immutable=1",))
        run("BEGIN")
        run("CREATE TEMP TABLE kept (number INTEGER PRIMARY KEY)")
        marks = ", ".join("?" * len(replaced))
        run(
            f"INSERT INTO kept SELECT number FROM old.package WHERE family(ecosystem) NOT IN ({marks})",  # noqa: S608
            tuple(replaced),
        )
        run(
            "INSERT INTO package SELECT number + ?, ecosystem, name FROM old.package JOIN kept USING (number)",
            (len(self._packages),),
        )
        run(
            "INSERT INTO affected SELECT package + ?, low, high, fixed, severity, advisory + ? FROM old.affected"
            " WHERE package IN (SELECT number FROM kept)",
            (len(self._packages), self._advisories),
        )
        run(
            "INSERT INTO advisory SELECT number + ?, id, aliases, title FROM old.advisory"
            " WHERE number IN (SELECT advisory FROM old.affected WHERE package IN (SELECT number FROM kept))",
            (self._advisories,),
        )
        if run("SELECT count(*) FROM old.sqlite_master WHERE name IN ('kev', 'epss')").fetchone() == (2,):
            for feed in FEEDS - set(replaced):
                run(f"INSERT INTO {feed.lower()} SELECT * FROM old.{feed.lower()}")  # noqa: S608
        run(f"INSERT INTO feed SELECT * FROM old.feed WHERE family NOT IN ({marks})", tuple(replaced))  # noqa: S608
        run("COMMIT")
        run("DETACH old")
        run("BEGIN")

    def finish(self) -> None:
        """Close the transaction and build the index."""
        self._connection.execute("COMMIT")
        self._connection.executescript(schema.INDEXES + "DROP TABLE IF EXISTS temp.kept; ANALYZE;")
