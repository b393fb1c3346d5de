"""Builds the database: takes zips of advisories, keeps what it has of other ecosystems, replaces the file whole."""

import fcntl
import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from pratique.advisories.archive import LIMITS, ArchiveLimits, BrokenEntry, read_documents
from pratique.advisories.database import Database, Feed
from pratique.advisories.ecosystem import family
from pratique.advisories.exploits import read_exploits
from pratique.advisories.osv import Advisory, parse
from pratique.advisories.writer import Writer
from pratique.errors import AdvisoryError, StoreError

_PROGRESS_EVERY: Final = 2_000
_BROKEN_SHOWN: Final = 10


class Source(Struct, frozen=True):
    """One file: a zip of advisories, the KEV catalogue, or EPSS."""

    path: Path
    name: str
    """Where it came from, for people: an address or a file name."""
    family: str = ""
    """The ecosystem it is for; empty: the one that most of its advisories speak of."""


class Imported(Struct, frozen=True):
    """What an import took from one file."""

    source: Source
    family: str
    advisories: int
    ignored: int
    """Valid documents without affected versions of this ecosystem: withdrawn, only commits, other ecosystems."""
    broken: tuple[BrokenEntry, ...]
    """The first of the entries that could not be read."""
    broken_count: int


Progress = Callable[[str, int], None]
"""Called with the source's name and the number of documents read so far."""


def build(
    database: Path,
    sources: Sequence[Source],
    *,
    now: float,
    progress: Progress = lambda _name, _count: None,
    limits: ArchiveLimits = LIMITS,
) -> list[Imported]:
    """Import zips into the database at a path: all of them or, when one is not valid, none.

    The rows of each ecosystem that the zips are for are replaced; those of others stay. The new file is built beside
    the old one and takes its place by rename.

    :raises AdvisoryError: when a zip is not valid or has no advisory
    :raises StoreError: when the database cannot be written
    """
    try:
        database.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _lock(database.with_name(database.name + ".lock")), _beside(database) as path:
            with closing(sqlite3.connect(path.as_uri(), uri=True, isolation_level=None)) as connection:
                imported = _fill(connection, database, sources, now=now, progress=progress, limits=limits)
            _replace(path, database)
    except (OSError, sqlite3.Error) as error:
        msg = f"advisory database {database} cannot be written: {error}"
        raise StoreError(msg) from error
    return imported


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Let one import work at a time, or the slower one would bring back what it read before the faster one."""
    with path.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextmanager
def _beside(database: Path) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(prefix=f".{database.name}.", dir=database.parent)
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _replace(new: Path, database: Path) -> None:
    new.chmod(0o644)
    descriptor = os.open(new, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.rename(database)


def _fill(
    connection: sqlite3.Connection,
    database: Path,
    sources: Sequence[Source],
    *,
    now: float,
    progress: Progress,
    limits: ArchiveLimits,
) -> list[Imported]:
    writer = Writer(connection)
    imported: list[Imported] = []
    feeds: dict[str, Feed] = {}
    for source in sources:
        found, data_at = _import(writer, source, now=now, progress=progress, limits=limits)
        imported.append(found)
        before = feeds.get(found.family)
        feeds[found.family] = Feed(
            family=found.family,
            source=f"{before.source}, {source.name}" if before else source.name,
            imported_at=now,
            data_at=max(data_at, before.data_at if before else 0.0),
            advisories=found.advisories + (before.advisories if before else 0),
            broken=found.broken_count + (before.broken if before else 0),
        )
    writer.write_feeds(feeds.values())
    if _is_usable(database):
        writer.keep_others(database, feeds)
    writer.finish()
    return imported


def _is_usable(database: Path) -> bool:
    """Tell whether there is an old database to keep rows of; a damaged one has nothing to keep."""
    try:
        Database.open(database).close()
    except StoreError:
        return False
    return True


def _import(
    writer: Writer, source: Source, *, now: float, progress: Progress, limits: ArchiveLimits
) -> tuple[Imported, float]:
    """Write one file's advisories; return what was taken and when the newest was last changed."""
    exploits = None if source.family else read_exploits(source.path)
    if exploits is not None:
        writer.write_exploits(exploits)
        count = len(exploits.rows)
        return Imported(source, exploits.feed, count, 0, (), exploits.broken), min(exploits.data_at, now)
    broken: list[BrokenEntry] = []
    broken_count = documents = 0
    families: Counter[str] = Counter()
    data_at = 0.0
    mark = writer.mark()
    for documents, entry in enumerate(read_documents(source.path, limits), start=1):
        if documents % _PROGRESS_EVERY == 0:
            progress(source.name, documents)
        found = entry if isinstance(entry, BrokenEntry) else _parse(*entry)
        if isinstance(found, BrokenEntry):
            broken_count += 1
            if len(broken) < _BROKEN_SHOWN:
                broken.append(found)
        elif found is not None:
            families.update({family(affected.ecosystem) for affected in found.affected})
            data_at = max(data_at, found.modified if found.modified <= now else 0.0)
            writer.write(found)
    name = source.family or next((name for name, _ in families.most_common(1)), "")
    if not families[name]:
        raise _nothing_in(source, documents, broken)
    if len(families) > 1:
        writer.drop_others(name, since=mark)
    taken = families[name]
    result = Imported(
        source=source,
        family=name,
        advisories=taken,
        ignored=documents - broken_count - taken,
        broken=tuple(broken),
        broken_count=broken_count,
    )
    return result, data_at


def _parse(name: str, document: bytes) -> Advisory | BrokenEntry | None:
    try:
        return parse(document)
    except AdvisoryError as error:
        return BrokenEntry(name, error.what)


def _nothing_in(source: Source, documents: int, broken: Sequence[BrokenEntry]) -> AdvisoryError:
    what = f"advisory file {source.path} holds no usable advisory"
    if source.family:
        what += f" for {source.family}"
    if broken:
        return AdvisoryError(f"{what}; {broken[0].name!r}: {broken[0].reason}")
    return AdvisoryError(f"{what}: none of its {documents} documents names a package with versions")
