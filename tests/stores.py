"""A store in either dialect: a SQLite file, and a database of a real PostgreSQL server of this session."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pratique.store import Store
from testbed.postgres import ThrowAwayPostgres, programs

Place = Callable[[], Path | str]


@pytest.fixture(scope="session")
def postgres() -> Iterator[ThrowAwayPostgres]:
    if programs() is None:
        from tests.conftest import cannot

        cannot("needs Debian's postgresql: 'make setup' installs it")
    with ThrowAwayPostgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def new_place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Returns where a new, empty store may be, with each call another one."""
    return lambda: new_place_in(request.param, request, tmp_path_factory)


def new_place_in(dialect: str, request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> Path | str:
    if dialect == "sqlite":
        return folders.mktemp("store") / "pratique.db"
    server: ThrowAwayPostgres = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture
def place(new_place: Place) -> Path | str:
    return new_place()


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with Store.open(place) as store:
        yield store
