"""What can go wrong with a server, said in words that a person can act on; the password is in none of them."""

import pytest
from psycopg import sql

from pratique.errors import EmptyStoreError, StoreError
from pratique.store import Store
from testbed.postgres import ThrowAwayPostgres
from tests.unit.store.values import decision


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://someone:secret@127.0.0.1:1/db", "cannot be reached"),
        ("postgresql://someone:secret@/db?host=/nowhere&password=secret", "cannot be reached"),
        ("postgresql://someone:secret@host.invalid/db", "cannot be reached"),
        ("mysql://someone:secret@host/db", "only in SQLite or PostgreSQL"),
        ("postgresql://someone:secret@host", "names no database"),
        ("://secret", "not a URL"),
        ("secret", "not a URL"),
    ],
)
def test_url_that_leads_nowhere_is_one_error_without_its_password(url: str, told: str) -> None:
    with pytest.raises(StoreError, match=told) as caught:
        Store.open(url)
    assert "secret" not in caught.value.what
    assert caught.value.hint


def test_missing_and_empty_database_are_told_apart(postgres: ThrowAwayPostgres) -> None:
    with pytest.raises(StoreError, match="does not exist") as caught:
        Store.open(postgres.url("nobody"))
    assert caught.value.hint == "createdb nobody"
    with pytest.raises(EmptyStoreError, match="nothing recorded yet"):
        Store.open(postgres.database(), read_only=True)


def test_read_only_store_writes_nothing(postgres: ThrowAwayPostgres) -> None:
    url = postgres.database()
    Store.open(url).close()
    with Store.open(url, read_only=True) as store, pytest.raises(StoreError, match="cannot be written"):
        store.set_state("a", "b")


def test_user_without_the_right_is_told_what_it_needs(postgres: ThrowAwayPostgres) -> None:
    url = postgres.database()
    name = url.rpartition("/")[2] if "?" not in url else url.partition("@/")[2].partition("?")[0]
    Store.open(url).close()
    postgres.execute(sql.SQL("CREATE ROLE visitor LOGIN"))
    with pytest.raises(StoreError, match="is not permitted") as caught:
        Store.open(postgres.url(name, user="visitor"))
    assert "own the database" in caught.value.hint


def test_writer_that_waits_too_long_is_told(postgres: ThrowAwayPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pratique.store.postgres.LOCK_TIMEOUT_S", 1)
    url = postgres.database()
    with Store.open(url) as first, Store.open(url) as second, first._database.write():
        with pytest.raises(StoreError, match="locked by another writer"):
            second.set_state("a", "b")
        assert second.state("a") is None  # readers go on


def test_server_that_went_away_is_an_error_and_its_return_is_none() -> None:
    with ThrowAwayPostgres() as server, Store.open(server.database()) as store:
        store.append_decisions([decision(1)])
        server.stop()
        with pytest.raises(StoreError, match="cannot be reached"):
            store.append_decisions([decision(2)])
        server.start()
        store.append_decisions([decision(3)])
        assert (store.verify_decisions().count, store.verify_decisions().broken) == (2, 0)
