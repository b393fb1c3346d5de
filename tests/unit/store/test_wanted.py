"""Quarantines that are wanted, and plans."""

import pytest

from pratique.errors import UsageError
from pratique.model import ImageId, Plan, PlanState, Skipped, Step, SwapMode
from pratique.store import Quarantine, Store

ONE, OTHER = "a" * 64, "b" * 64


def test_quarantine_keeps_its_time_and_takes_the_last_reason(store: Store) -> None:
    store.quarantines.put(Quarantine(ONE, 1.0, "first", "user a"))
    store.quarantines.put(Quarantine(OTHER, 2.0))
    store.quarantines.put(Quarantine(ONE, 3.0, "second", "user b"))
    assert store.quarantines.all() == [Quarantine(ONE, 1.0, "second", "user b"), Quarantine(OTHER, 2.0)]
    assert store.quarantines.remove(ONE)
    assert not store.quarantines.remove(ONE)
    assert store.quarantines.all() == [Quarantine(OTHER, 2.0)]


@pytest.mark.parametrize("name", ["ledger", "", "A" * 64, ONE + "\n"])
def test_only_a_whole_id_can_be_put_in_quarantine(store: Store, name: str) -> None:
    with pytest.raises(UsageError):
        store.quarantines.put(Quarantine(name, 1.0))


def test_plan_comes_back_as_it_was_last_saved(store: Store) -> None:
    image = ImageId("sha256:1")
    step = Step(
        1, "web", ONE, "web-1", image, image, "web:2", SwapMode.IN_TURN, inspected={"Name": "/\ud800", "n": [1]}
    )
    plan = Plan("abc123", 1.0, "CVE-1", (step,), (Skipped("x", "why"),), ((image, image),))
    store.plans.put(plan)
    done = Plan("abc123", 1.0, "CVE-1", (), state=PlanState.DONE)
    assert store.plans.get("abc123") == Plan(
        "abc123",
        1.0,
        "CVE-1",
        (Step(1, "web", ONE, "web-1", image, image, "web:2", SwapMode.IN_TURN, inspected={"Name": "/?", "n": [1]}),),
        (Skipped("x", "why"),),
        ((image, image),),
    )
    store.plans.put(done)
    assert store.plans.all() == [done]
    assert store.plans.get("other") is None
