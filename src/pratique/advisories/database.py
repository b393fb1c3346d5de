"""The advisory database as scans use it: opened read-only, asked about packages."""

import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, Self

from msgspec import Struct

from pratique.advisories import schema
from pratique.advisories.ecosystem import canonical, concerns_kernel, scheme, subject
from pratique.advisories.exploits import FEEDS
from pratique.advisories.findings import Match, merge
from pratique.advisories.versions import version_key
from pratique.errors import StoreError
from pratique.model import Finding, Package, Severity

_AT_ONCE: Final = 500
_SEVERITIES: Final = tuple(Severity)
_HINT: Final = "'pratique db update' or 'pratique db import FILE' builds it anew"


class Feed(Struct, frozen=True):
    """What the database holds of one ecosystem."""

    family: str
    source: str
    """Address or file name that it came from."""
    imported_at: float
    data_at: float
    """When its newest advisory was last changed; 0 if no advisory says."""
    advisories: int
    broken: int
    """Entries of the source that could not be read."""


class Exploited(Struct, frozen=True):
    """What is known of the exploitation of some vulnerabilities."""

    known: frozenset[str] = frozenset()
    """Those that are exploited in the wild (KEV)."""
    epss: float = 0.0
    """The greatest probability of exploit within 30 days among all of them."""


class Database:
    """An advisory database file. Any number of processes may have it open; a new import does not disturb them."""

    def __init__(self, connection: sqlite3.Connection, path: Path, feeds: tuple[Feed, ...]) -> None:
        self._connection = connection
        self._path = path
        self._feeds = feeds

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a database.

        :raises StoreError: when it is missing, damaged, or of another version
        """
        if not path.is_file():
            msg = f"no advisory database at {path}"
            raise StoreError(msg, hint="'pratique db update' fetches it, 'pratique db import FILE' takes it from disk")
        try:
            # immutable: the file is only ever replaced by rename, so no lock is needed and none can be in the way
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise _damaged(path, error) from error
        try:
            feeds = cls._read_feeds(connection, path)
        except BaseException:
            connection.close()
            raise
        return cls(connection, path, feeds)

    @staticmethod
    def _read_feeds(connection: sqlite3.Connection, path: Path) -> tuple[Feed, ...]:
        try:
            ((application,),) = connection.execute("PRAGMA application_id")
            ((version,),) = connection.execute("PRAGMA user_version")
            if application != schema.APPLICATION_ID:
                msg = f"{path} is not an advisory database"
                raise StoreError(msg, hint=_HINT)
            if version != schema.SCHEMA_VERSION:
                msg = f"advisory database {path} has version {version}, but this program knows {schema.SCHEMA_VERSION}"
                raise StoreError(msg, hint=_HINT)
            return tuple(Feed(*row) for row in connection.execute("SELECT * FROM feed ORDER BY family"))
        except sqlite3.Error as error:
            raise _damaged(path, error) from error

    @property
    def built_at(self) -> float:
        """How old the data are, seconds since the epoch: the newest change in the oldest ecosystem."""
        feeds = (feed for feed in self._feeds if feed.family not in FEEDS)
        return min((feed.data_at or feed.imported_at for feed in feeds), default=0.0)

    def exploited(self, rules: Collection[str]) -> Exploited:
        """Return what is known of the exploitation of vulnerabilities.

        :param rules: ids; those that are no CVE are in neither feed
        :raises StoreError: when the database turns out to be damaged
        """
        if not FEEDS & {feed.family for feed in self._feeds}:
            return Exploited()
        known: set[str] = set()
        probability = 0.0
        ordered = sorted(rules)
        try:
            for start in range(0, len(ordered), _AT_ONCE):
                some = ordered[start : start + _AT_ONCE]
                marks = ", ".join("?" * len(some))
                rows = self._connection.execute(f"SELECT cve FROM kev WHERE cve IN ({marks})", some)  # noqa: S608
                known.update(cve for (cve,) in rows)
                ((best,),) = self._connection.execute(
                    f"SELECT max(probability) FROM epss WHERE cve IN ({marks})",  # noqa: S608
                    some,
                )
                probability = max(probability, best or 0.0)
        except sqlite3.Error as error:
            raise _damaged(self._path, error) from error
        return Exploited(frozenset(known), probability)

    def summary(self) -> tuple[Feed, ...]:
        """Return what the database holds, by ecosystem."""
        return self._feeds

    def match(self, packages: Sequence[Package]) -> list[Finding]:
        """Return the known vulnerabilities of packages, worst first.

        Packages of one source package at one version give one finding for each vulnerability, whose ``evidence``
        names them. The kernel's advisories are not matched to its headers: nothing of a container runs on these.

        :raises StoreError: when the database turns out to be damaged
        """
        groups: dict[tuple[str, str, str], list[Package]] = {}
        for package in packages:
            name, version = subject(package)
            if name and version and not concerns_kernel(package):
                groups.setdefault((canonical(package.ecosystem), name, version), []).append(package)
        findings: list[Finding] = []
        try:
            for (ecosystem, name, version), members in groups.items():
                matches = self._find(ecosystem, name, version)
                findings.extend(merge(matches, ecosystem=ecosystem, version=version, members=members))
        except (sqlite3.Error, IndexError, TypeError, ValueError) as error:
            raise _damaged(self._path, error) from error
        findings.sort(key=lambda finding: (-finding.severity.rank, finding.package, finding.rule, finding.version))
        return findings

    def _find(self, ecosystem: str, name: str, version: str) -> list[Match]:
        key = version_key(scheme(ecosystem), version)
        rows = self._connection.execute(schema.FIND, (name, ecosystem, key))
        return [
            Match(id_, tuple(aliases.split("\n")) if aliases else (), title, _SEVERITIES[severity], fixed)
            for id_, aliases, title, severity, fixed in rows
        ]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _damaged(path: Path, error: Exception) -> StoreError:
    return StoreError(f"advisory database {path} is damaged: {error}", hint=_HINT)
