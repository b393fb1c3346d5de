"""What the world outside was told of, in both databases."""

from pratique.model import Severity
from pratique.store import Store
from tests.unit.store.values import alert


def test_alerts_come_in_order_page_by_page(store: Store) -> None:
    store.add_alerts(alert(f"key {number}") for number in range(5))
    newest = store.outbox.newest()
    store.add_alerts([alert("later")])
    first = store.outbox.alerts(0, newest, Severity.UNKNOWN, 3)
    rest = store.outbox.alerts(first[-1].id, newest, Severity.UNKNOWN, 3)
    assert [record.alert.key for record in (*first, *rest)] == [f"key {number}" for number in range(5)]
    assert store.outbox.alerts(newest, newest, Severity.UNKNOWN, 3) == []


def test_severity_and_repetitions_are_told(store: Store) -> None:
    store.add_alerts([alert("low", severity=Severity.LOW), alert(), alert()])
    (record,) = store.outbox.alerts(0, store.outbox.newest(), Severity.HIGH, 10)
    assert (record.alert.key, record.count) == ("k", 2)


def test_each_receiver_has_a_place_of_its_own(store: Store) -> None:
    assert store.outbox.newest() == 0
    assert store.outbox.told("ops") is None
    store.outbox.set_told("ops", 7)
    store.outbox.set_told("ops", 9)
    store.outbox.set_told("log", 3)
    assert (store.outbox.told("ops"), store.outbox.told("log"), store.outbox.told("hook")) == (9, 3, None)
