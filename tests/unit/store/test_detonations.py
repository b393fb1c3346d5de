from msgspec.structs import replace

from pratique.model import Behaviour, Detonation, Finding, FindingKind, Protocol, Severity, WantedPeer
from pratique.store import Store
from tests.unit.store.values import CHECKOUT, REDIS

BAD = Detonation(
    CHECKOUT,
    detonated_at=100.0,
    duration_s=20.0,
    command=("/start", "\udcff"),
    verdict=Behaviour.BAD,
    reason="A miner was started",
    findings=(Finding(FindingKind.BEHAVIOUR, "exec.miner", Severity.CRITICAL, "A miner was started"),),
    peers=(WantedPeer("pool.example", Protocol.TCP, 3333),),
    programs=("/start",),
)


def test_detonation_comes_back_whole(store: Store) -> None:
    written = replace(BAD, command=("/start",))
    store.detonations.put(written)
    assert store.detonations.get(CHECKOUT.id) == written
    assert store.detonations.verdicts() == {CHECKOUT.id: Behaviour.BAD}


def test_older_detonation_does_not_replace_a_newer_one(store: Store) -> None:
    newer = replace(BAD, detonated_at=200.0, verdict=Behaviour.CLEAN, command=())
    store.detonations.put(newer)
    store.detonations.put(BAD)
    assert store.detonations.get(CHECKOUT.id) == newer


def test_all_are_listed_the_newest_first(store: Store) -> None:
    store.detonations.put(BAD)
    store.detonations.put(replace(BAD, image=REDIS, detonated_at=200.0))
    assert [detonation.image.id for detonation in store.detonations.list()] == [REDIS.id, CHECKOUT.id]


def test_what_was_never_detonated_is_unknown(store: Store) -> None:
    assert store.detonations.get(CHECKOUT.id) is None


def test_text_that_no_document_can_hold_is_kept_as_text(store: Store) -> None:
    store.detonations.put(BAD)
    kept = store.detonations.get(CHECKOUT.id)
    assert kept is not None
    assert kept.command == ("/start", "?")
