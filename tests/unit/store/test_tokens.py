import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pratique.store import Store


def _role(store: Store, token: str, now: float) -> str | None:
    found = store.tokens.find(token, now)
    return found.role if found is not None else None


def test_a_ticket_is_good_once_even_when_many_try_at_the_same_time(store: Store) -> None:
    ticket = store.tokens.create_ticket("operator", 100.0, 200.0)
    with ThreadPoolExecutor(8) as pool:
        roles = list(pool.map(lambda _: store.tokens.redeem(ticket, 150.0), range(8)))
    assert sorted(roles, key=str) == [None] * 7 + ["operator"]


def test_a_ticket_expires(store: Store) -> None:
    ticket = store.tokens.create_ticket("viewer", 100.0, 200.0)
    assert store.tokens.redeem(ticket, 200.0) is None
    assert store.tokens.redeem(ticket, 150.0) is None  # and it is deleted then


def test_tokens_and_tickets_are_not_taken_for_each_other(store: Store) -> None:
    ticket = store.tokens.create_ticket("viewer", 100.0, 200.0)
    token = store.tokens.create("ci", "viewer", 100.0, None)
    assert _role(store, ticket, 150.0) is None
    assert store.tokens.redeem(token, 150.0) is None
    assert [record.name for record in store.tokens.all()] == ["ci"]


def test_a_token_works_until_it_expires_or_is_revoked(store: Store) -> None:
    token, other = store.tokens.create("ci", "operator", 100.0, 200.0), store.tokens.create("x", "viewer", 100.0, None)
    assert _role(store, token, 199.0) == "operator"
    assert _role(store, token, 200.0) is None
    assert _role(store, other, 1e12) == "viewer"
    assert (store.tokens.revoke("x"), store.tokens.revoke("x"), store.tokens.revoke("")) == (1, 0, 0)
    assert _role(store, other, 150.0) is None


def test_no_token_can_be_read_from_the_store(tmp_path: Path) -> None:
    with Store.open(tmp_path / "pratique.db") as store:
        secrets = [store.tokens.create("ci", "viewer", 1.0, None), store.tokens.create_ticket("viewer", 1.0, 9e9)]
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert not any(secret.encode() in content for secret in secrets)


def test_guessing_tickets_takes_no_turn_at_writing(tmp_path: Path) -> None:
    with Store.open(tmp_path / "pratique.db") as store:
        right = store.tokens.create_ticket("viewer", 100.0, 200.0)
        with sqlite3.connect(tmp_path / "pratique.db") as other:
            other.execute("BEGIN IMMEDIATE")  # the agent writes
            assert store.tokens.redeem("wrong", 150.0) is None
        other.close()
        assert store.tokens.redeem(right, 150.0) == "viewer"


def test_tickets_that_have_expired_are_forgotten(tmp_path: Path) -> None:
    with Store.open(tmp_path / "pratique.db") as store:
        for number in range(5):
            store.tokens.create_ticket("viewer", number * 100.0, number * 100.0 + 50)
    with sqlite3.connect(tmp_path / "pratique.db") as other:
        assert other.execute("SELECT count(*) FROM tokens").fetchone() == (1,)
    other.close()


@pytest.mark.parametrize("token", ["", "é", "\ud800", "\0", "x" * 10_000])
def test_any_text_is_asked_about_without_an_error(store: Store, token: str) -> None:
    assert _role(store, token, 1.0) is None
    assert store.tokens.redeem(token, 1.0) is None
