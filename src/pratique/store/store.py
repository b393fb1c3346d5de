"""The store: one method a question or a fact."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sqlalchemy import insert, select

from pratique.model import Alert, Container, Decision, Flow, FlowVerdict, ImageIdentity, ImagePrograms, Report, Severity
from pratique.store import inventory, journal
from pratique.store.carriers import View
from pratique.store.contents import put_programs
from pratique.store.database import Database
from pratique.store.detonations import Detonations
from pratique.store.encoding import text
from pratique.store.families import Families
from pratique.store.graph import Graph
from pratique.store.opened import OpenedFiles
from pratique.store.outbox import Outbox
from pratique.store.pages import Pages
from pratique.store.plans import Plans
from pratique.store.quarantines import Quarantines
from pratique.store.records import (
    AlertRecord,
    ChainCheck,
    ContainerRecord,
    DecisionRecord,
    FlowRecord,
    ImageRecord,
    PolicyRecord,
)
from pratique.store.schema import POLICIES, STATE
from pratique.store.tokens import Tokens

RETENTION_DAYS: Final = 30
"""How long flows and alerts are kept unless the caller of :meth:`Store.prune` says otherwise."""
MAX_ROWS: Final = 1_000_000
"""How many flows, and how many alerts, are kept at most: a container that scans the internet must not fill the disk."""


class Store:
    """An open store; a context manager. Every method raises :class:`~pratique.errors.StoreError`."""

    def __init__(self, database: Database, host: str) -> None:
        self._database = database
        self._host = host

    @classmethod
    def open(cls, where: Path | str, *, read_only: bool = False, host: str = "") -> Self:
        """Open the store, create it or upgrade its schema.

        Several processes may hold it open; writers wait for each other.

        :param where: a path for SQLite, or the URL of an existing database of PostgreSQL
        :param read_only: fail when there is no store yet, and never write
        :param host: whose containers are recorded, where several hosts share a store
        :raises StoreError: when it is missing (read only), damaged, locked, not writable or from a newer version
        """
        return cls(Database(where, read_only=read_only, fill=inventory.take_apart), host)

    def close(self) -> None:
        """Close the store."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def detonations(self) -> Detonations:
        """What images did in the sandbox."""
        return Detonations(self._database)

    @property
    def plans(self) -> Plans:
        """Plans of replacement."""
        return Plans(self._database)

    @property
    def quarantines(self) -> Quarantines:
        """Which containers are to be in quarantine."""
        return Quarantines(self._database)

    @property
    def outbox(self) -> Outbox:
        """What the world outside was told of."""
        return Outbox(self._database)

    @contextmanager
    def inventory(self) -> Iterator[View]:
        """Give a view of what images carry and where they run."""
        with self._database.read() as connection:
            yield View(connection)

    @property
    def graph(self) -> Graph:
        """Services, and who talks to whom."""
        return Graph(self._database, self._host)

    @property
    def opened(self) -> OpenedFiles:
        """Which packages' code containers opened."""
        return OpenedFiles(self._database)

    @property
    def families(self) -> Families:
        """What images are made of, and which are condemned."""
        return Families(self._database)

    @property
    def pages(self) -> Pages:
        """Return what is here a page at a time."""
        return Pages(self._database)

    @property
    def tokens(self) -> Tokens:
        """Return what opens the console."""
        return Tokens(self._database)

    # Images, reports, containers

    def put_image(self, image: ImageIdentity, at: float) -> None:
        """Record that an image is on this host."""
        with self._database.write() as connection:
            inventory.put_image(connection, image, at)

    def images(self) -> list[ImageRecord]:
        """Return every image, the one seen last first."""
        with self._database.read() as connection:
            return inventory.images(connection)

    def image_ids(self, name: str) -> tuple[str, ...]:
        """Return the ids of the images with this id, prefix of an id (12 digits or more), or reference."""
        with self._database.read() as connection:
            return inventory.image_ids(connection, name)

    def put_report(self, report: Report) -> None:
        """Record a report, and its image; a report older than the one that is there changes nothing."""
        with self._database.write() as connection:
            inventory.put_report(connection, report)

    def report(self, image_id: str) -> Report | None:
        """Return the newest report of an image."""
        with self._database.read() as connection:
            return inventory.report(connection, image_id)

    def put_programs(self, found: ImagePrograms) -> None:
        """Record the programs and libraries that an image shows, so that their contents can be asked for."""
        with self._database.write() as connection:
            put_programs(connection, found)

    def put_container(self, container: Container, policy_name: str, admitted: bool, at: float) -> None:
        """Record a container as it is now.

        :param policy_name: the entry of the policy that it is under
        :param admitted: whether the guard gave it a ticket
        """
        with self._database.write() as connection:
            inventory.put_container(connection, self._host, container, policy_name, admitted, at)

    def container_gone(self, container_id: str, at: float) -> None:
        """Record that a container was removed."""
        with self._database.write() as connection:
            inventory.container_gone(connection, container_id, at)

    def containers(self, *, images: Collection[str] | None = None, gone: bool = False) -> list[ContainerRecord]:
        """Return the containers, newest first.

        :param images: only those of these image ids
        :param gone: removed ones as well
        """
        with self._database.read() as connection:
            return inventory.containers(connection, images, gone)

    # Flows, alerts

    def add_flows(self, flows: Iterable[Flow]) -> None:
        """Add traffic: packets and bytes of a flow that is there already add up."""
        with self._database.write() as connection:
            journal.add_flows(connection, flows)

    def flows(
        self,
        *,
        since: float = 0.0,
        after_id: int = 0,
        images: Collection[str] | None = None,
        verdicts: Collection[FlowVerdict] | None = None,
        limit: int | None = None,
    ) -> list[FlowRecord]:
        """Return flows in order of id.

        :param since: seen at this time or later
        :param after_id: only flows that are new since a flow with this id
        :param limit: the newest so many
        """
        with self._database.read() as connection:
            return journal.flows(connection, journal.Window(since, after_id, images, limit), verdicts)

    def add_alerts(self, alerts: Iterable[Alert]) -> None:
        """Add alerts; one with the key of an alert that began at most 60 s before is counted there."""
        with self._database.write() as connection:
            journal.add_alerts(connection, alerts)

    def alerts(
        self,
        *,
        since: float = 0.0,
        after_id: int = 0,
        images: Collection[str] | None = None,
        at_least: Severity = Severity.UNKNOWN,
        limit: int | None = None,
    ) -> list[AlertRecord]:
        """Return alerts in order of id; see :meth:`flows`."""
        with self._database.read() as connection:
            return journal.alerts(connection, journal.Window(since, after_id, images, limit), at_least)

    def prune(self, now: float, *, retention_days: float = RETENTION_DAYS, max_rows: int = MAX_ROWS) -> int:
        """Forget flows and alerts last seen before, and the oldest beyond ``max_rows``; return how many.

        What containers opened is forgotten as long after they are gone.
        """
        before = now - retention_days * 86_400
        self.opened.prune(before)
        with self._database.write() as connection:
            return journal.prune(connection, before, max_rows)

    # Decisions

    def append_decisions(self, decisions: Iterable[Decision]) -> None:
        """Append to the hash chain, all or none."""
        with self._database.write() as connection:
            journal.append_decisions(connection, decisions)

    def decisions(
        self,
        *,
        since: float = 0.0,
        after_id: int = 0,
        images: Collection[str] | None = None,
        limit: int | None = None,
    ) -> list[DecisionRecord]:
        """Return decisions in order of id; see :meth:`flows`."""
        with self._database.read() as connection:
            return journal.decisions(connection, journal.Window(since, after_id, images, limit))

    def verify_decisions(self) -> ChainCheck:
        """Check the whole chain and find the first record at fault."""
        with self._database.read() as connection:
            return journal.verify_decisions(connection)

    # Policies, state

    def put_policy(self, document: str, sha256: str, at: float) -> None:
        """Record a policy document that comes into force."""
        with self._database.write() as connection:
            connection.execute(insert(POLICIES).values(at=at, sha256=sha256, text=text(document)))

    def policies(self) -> list[PolicyRecord]:
        """Return every policy that was in force, the newest first."""
        query = select(POLICIES.c.id, POLICIES.c.at, POLICIES.c.sha256, POLICIES.c.text).order_by(POLICIES.c.id.desc())
        with self._database.read() as connection:
            return [PolicyRecord(*row) for row in connection.execute(query)]

    def set_state(self, key: str, value: str) -> None:
        """Keep a value under a name."""
        with self._database.write() as connection:
            journal.set_state(connection, key, value)

    def state(self, key: str) -> str | None:
        """Return the value under a name."""
        query = select(STATE.c.value).where(STATE.c.key == key)
        with self._database.read() as connection:
            value: str | None = connection.execute(query).scalar()
            return value
