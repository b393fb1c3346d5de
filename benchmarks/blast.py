"""How long a blast radius takes in a store of a million containers, 20,000 images and 5 million flows.

``python -m benchmarks.blast 50000`` asks a smaller fleet. The stores are built once for each size, under the temporary
folder, and kept there: several minutes and gigabytes for a million.
"""

import gc
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from sqlalchemy import Table, func, select

from benchmarks.blast_world import Rows, Size, World
from benchmarks.row import Row
from pratique.pipelines.blast import blast_radius
from pratique.store import Store
from pratique.store import tables as t
from pratique.store.journal import _FLOW_KEY, _FLOW_MERGE, _flow_row
from pratique.store.schema import CONTAINERS, FLOWS, IMAGES
from pratique.store.upsert import upsert
from testbed.postgres import ThrowAwayPostgres

_FULL: Final = 1_000_000
_BUDGET_MS: Final = 100.0
_AT_ONCE: Final = 50_000
_TABLES: Final = (
    t.SERVICES, t.KNOWN_IMAGES, t.IMAGE_NAMES, t.KNOWN_LAYERS, t.IMAGE_LAYERS, t.KNOWN_PATHS, t.LAYER_FILES,
    t.KNOWN_PACKAGES, t.IMAGE_PACKAGES, t.KNOWN_FLAWS, t.FLAW_NAMES, t.IMAGE_FLAWS, t.PRESENT, t.PLACEMENTS,
    t.ADDRESSES, t.SERVICE_EDGES, IMAGES, CONTAINERS, FLOWS,
)  # fmt: skip
Load = Callable[[Table, Rows], None]


def run(containers: int = _FULL) -> list[Row]:
    """Return the slowest of 100 of 5% against the budget, and against counting without sums, on both databases."""
    size = Size(containers)
    world = World(size)
    folder = Path(tempfile.gettempdir()) / f"pratique-bench-blast-{containers}"
    folder.mkdir(mode=0o755, exist_ok=True)
    rows = _asked("SQLite", _sqlite(folder / "pratique.db", world), world)
    with _postgres(folder / "postgres", world) as url:
        return rows + _asked("PostgreSQL", url, world)


def _asked(name: str, where: Path | str, world: World) -> list[Row]:
    questions = _questions(world)
    with Store.open(where) as store:
        blast_radius(store, "container-1")  # connect, and compile what every question needs
        gc.freeze()  # the synthetic world is not the store's: its objects must not be looked through between questions
        took = sorted(_milliseconds(partial(blast_radius, store, asked), asked) for asked in questions)
        naive = [_milliseconds(partial(_naive, store, rule)) for rule in _common(world)[:5]]
        without, with_ = _flows(store, world)
    p50, p95 = statistics.median(took), took[int(len(took) * 0.95)]
    print(f"  {name}: {len(took)} questions, p50 {p50:.1f}, p95 {p95:.1f}, max {took[-1]:.1f} ms", file=sys.stderr)
    fleet = f"{world.size.containers:,} containers, {name}"
    return [
        Row(f"blast radius, p95, {fleet}, against the budget", _BUDGET_MS, p95, "ms"),
        Row(f"blast radius, p50, {fleet}, against counting containers one by one", statistics.median(naive), p50, "ms"),
        Row(f"1,000 flows added, {fleet}, without and with service edges", without, with_, "ms"),
    ]


def _questions(world: World) -> list[str]:
    """Return 200 different ones: what few carry, what very many carry, and all other sorts."""
    chance = random.Random(1)
    size = world.size
    rules = [world.rule(rule) for rule in chance.sample(range(size.rules), 50)]
    packages = [world.package_name(chance.randrange(size.names) * 10) for _ in range(20)]
    packages += [world.package_name(package) for package in world.common_packages()]
    compared = [f"{name}<1.{chance.randint(1, 9)}.0-1" for name in packages]
    images = [world.image_id(image) for image in chance.sample(range(size.images), min(25, size.images))]
    containers = [world.container_id(one) for one in chance.sample(range(size.containers), 25)]
    files = [world.file(layer, chance.randrange(8)).hex() for layer in range(25)]
    return list(dict.fromkeys([*rules, *_common(world), *compared, *images, *containers, *files]))


def _common(world: World) -> list[str]:
    """Return vulnerabilities that half of all images have."""
    return [world.rule(package // 10 * 2) for package in world.common_packages()]


def _naive(store: Store, rule: str) -> None:
    """Count the containers of a vulnerability by service without what was counted before."""
    flaws = select(t.KNOWN_FLAWS.c.number).where(t.KNOWN_FLAWS.c.rule == rule)
    images = select(t.IMAGE_FLAWS.c.image).where(t.IMAGE_FLAWS.c.flaw.in_(flaws))
    query = select(t.PRESENT.c.service, func.count()).where(t.PRESENT.c.image.in_(images)).group_by(t.PRESENT.c.service)
    with store._database.read() as connection:  # noqa: SLF001
        connection.execute(query).all()


def _flows(store: Store, world: World) -> tuple[float, float]:
    """Return how long it takes to count 1,000 known flows again, in the median of ten times."""
    flows = world.flows_of(1000)

    def upserted() -> None:
        with store._database.write() as connection:  # noqa: SLF001
            upsert(connection, FLOWS, _FLOW_KEY, [_flow_row(flow) for flow in flows], _FLOW_MERGE)

    without, with_ = [], []
    for _ in range(10):
        without.append(_milliseconds(upserted))
        with_.append(_milliseconds(partial(store.add_flows, flows)))
    return statistics.median(without), statistics.median(with_)


def _milliseconds(work: Callable[[], object], what: str = "") -> float:
    started = time.perf_counter()
    work()
    took = (time.perf_counter() - started) * 1e3
    if took > _BUDGET_MS and what:
        print(f"  over the budget: {what} {took:.0f} ms", file=sys.stderr)
    return took


# The stores


def _sqlite(path: Path, world: World) -> Path:
    if not path.exists():
        partial = path.with_suffix(".partial")
        for rest in path.parent.glob(f"{partial.name}*"):
            rest.unlink()
        Store.open(partial).close()
        with closing(sqlite3.connect(partial)) as connection:
            connection.executescript("PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF; PRAGMA cache_size=-1000000")

            def load(table: Table, rows: Rows) -> None:
                marks = ", ".join("?" * len(table.c))
                connection.executemany(f"INSERT INTO {table.name} VALUES ({marks})", rows)
                connection.commit()

            _build(world, load)
            connection.executescript("ANALYZE; PRAGMA journal_mode=WAL;")
        partial.rename(path)
    return path


@contextmanager
def _postgres(data: Path, world: World) -> Iterator[str]:
    settings = ("shared_buffers=1GB", "max_wal_size=8GB", "work_mem=32MB", "maintenance_work_mem=512MB")
    with ThrowAwayPostgres(durable=True, data=data, settings=settings) as server:
        url = server.url("blast")
        if not (data.parent / "postgres.built").exists():
            server.execute(sql.SQL("DROP DATABASE IF EXISTS blast"))
            server.execute(sql.SQL("CREATE DATABASE blast"))
            Store.open(url).close()
            with psycopg.connect(host=str(server.folder), user="postgres", dbname="blast") as connection:

                def load(table: Table, rows: Rows) -> None:
                    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.c)
                    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), names)
                    with connection.cursor() as cursor, cursor.copy(statement) as copy:
                        for row in rows:
                            copy.write_row(row)
                    if "number" in table.c or table is FLOWS:
                        column = "id" if table is FLOWS else "number"
                        connection.execute(
                            sql.SQL("SELECT setval(pg_get_serial_sequence({}, {}), max({})) FROM {}").format(
                                table.name, column, sql.Identifier(column), sql.Identifier(table.name)
                            )
                        )
                    connection.commit()

                _build(world, load)
            with psycopg.connect(
                host=str(server.folder), user="postgres", dbname="blast", autocommit=True
            ) as connection:
                connection.execute("VACUUM ANALYZE")
            (data.parent / "postgres.built").touch()
        yield url


def _build(world: World, load: Load) -> None:
    for table in _TABLES:
        started = time.monotonic()
        load(table, getattr(world, table.name)())
        print(f"  {table.name}: {time.monotonic() - started:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    for row in run(int(sys.argv[1]) if len(sys.argv) > 1 else _FULL):
        print(f"{row.name}: {row.without:.1f} → {row.with_:.1f} {row.unit} ({row.ratio:.3f})")
