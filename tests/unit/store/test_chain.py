from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from pratique.errors import StoreError
from pratique.model import Verdict
from pratique.store import Store
from tests.unit.store.values import CHECKOUT, decision

_COLUMNS = "at, verdict, rule, subject, reason, source, image, container, hash"


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with Store.open(place) as store:
        store.append_decisions([decision(number) for number in range(1, 6)])
        store.append_decisions([decision(6, image=CHECKOUT.id)])
        yield store


def alter(store: Store, *statements: str) -> None:
    with store._database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_sound_chain_is_sound(store: Store) -> None:
    check = store.verify_decisions()
    assert (check.count, check.broken, check.reason) == (6, 0, "")
    assert check.head == store.decisions()[-1].hash


def test_empty_chain_is_sound(place: Path | str) -> None:
    with Store.open(place) as store:
        assert store.verify_decisions().broken == 0
        store.append_decisions([])
        assert store.decisions() == []


def test_decision_comes_back_whole(store: Store) -> None:
    assert store.decisions(images=[CHECKOUT.id])[0].decision == decision(6, image=CHECKOUT.id)
    assert [record.id for record in store.decisions(after_id=4)] == [5, 6]
    assert [record.id for record in store.decisions(limit=1)] == [6]


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE decisions SET verdict = 'allow' WHERE id = 3", 3),
        ("UPDATE decisions SET verdict = 'maybe' WHERE id = 3", 3),
        ("UPDATE decisions SET at = at + 1 WHERE id = 1", 1),
        ("UPDATE decisions SET source = 'somebody' WHERE id = 6", 6),
        ("UPDATE decisions SET hash = 'no hash' WHERE id = 4", 4),
        ("DELETE FROM decisions WHERE id = 1", 1),
        ("DELETE FROM decisions WHERE id = 4", 4),
        ("DELETE FROM decisions WHERE id = 6", 6),
        ("DELETE FROM decisions WHERE id > 3", 4),
        ("DELETE FROM decisions", 1),
        ("DELETE FROM state WHERE key = 'decisions_end'", 1),
        ("UPDATE state SET value = 'nonsense' WHERE key = 'decisions_end'", 7),
        ("UPDATE state SET value = '3 zz' WHERE key = 'decisions_end'", 7),
        (f"INSERT INTO decisions SELECT 7, {_COLUMNS} FROM decisions WHERE id = 6", 7),
        ("UPDATE decisions SET id = 60 WHERE id = 6", 6),
    ],
)  # fmt: skip
def test_first_broken_record_is_found(store: Store, statement: str, broken: int) -> None:
    alter(store, statement)
    assert store.verify_decisions().broken == broken


def test_column_of_another_type_is_found(tmp_path: Path) -> None:
    with Store.open(tmp_path / "pratique.db") as store:  # PostgreSQL knows no such thing
        store.append_decisions([decision(1), decision(2)])
        alter(store, "UPDATE decisions SET subject = x'00ff' WHERE id = 2")
        assert store.verify_decisions().broken == 2


def test_swapped_records_are_found(store: Store) -> None:
    alter(
        store,
        "UPDATE decisions SET id = 100 WHERE id = 2",
        "UPDATE decisions SET id = 2 WHERE id = 3",
        "UPDATE decisions SET id = 3 WHERE id = 100",
    )
    assert store.verify_decisions().broken == 2


def test_nothing_is_appended_behind_a_forged_end(store: Store) -> None:
    alter(store, "UPDATE state SET value = 'x' WHERE key = 'decisions_end'")
    with pytest.raises(StoreError, match="end of the chain"):
        store.append_decisions([decision()])


def test_batch_is_written_whole_or_not_at_all(store: Store) -> None:
    def broken() -> Iterator[object]:
        yield decision(7)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.append_decisions(broken())  # type: ignore[arg-type]
    assert store.verify_decisions().count == 6


def test_whole_number_as_time_and_odd_text_do_not_break_the_chain(store: Store) -> None:
    store.append_decisions([replace(decision(), at=5, subject="a\udc80\x00é", verdict=Verdict.ALLOW)])
    assert store.verify_decisions().broken == 0
    assert store.decisions(limit=1)[0].decision.subject == "a??é"


def test_record_with_an_unknown_verdict_is_an_error_that_names_it(store: Store) -> None:
    alter(store, "UPDATE decisions SET verdict = 'maybe' WHERE id = 3")
    with pytest.raises(StoreError, match="broken Decision"):
        store.decisions()
