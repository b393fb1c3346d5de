"""Whether a successor talks to whom its predecessor talked to."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pratique.errors import ReplaceError
from pratique.model import Container, Direction, Flow, FlowVerdict, ImageId, Protocol, Step, SwapMode
from pratique.pipelines.replacement import batches
from pratique.pipelines.resumption import Resumption
from pratique.store import Store

BEGAN = 1_000_000.0
OLD, NEW, DB, OTHER = (digit * 64 for digit in "abcd")
OLD_IMAGE, NEW_IMAGE, DB_IMAGE = (ImageId(f"sha256:{digit * 64}") for digit in "123")
STEP = Step(
    number=1,
    service="web",
    container=OLD,
    name="web-1",
    old_image=OLD_IMAGE,
    new_image=NEW_IMAGE,
    reference="web:2",
    mode=SwapMode.BESIDE,
    listens=(80,),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store.db") as store:
        for identity, image, reference, address in (
            (OLD, OLD_IMAGE, "web:1", "10.0.0.1"),
            (DB, DB_IMAGE, "db:1", "10.0.0.2"),
            (OTHER, DB_IMAGE, "db:1", "10.0.0.3"),
        ):
            container = Container(identity, reference, image, reference, running=True, addresses=(address,))
            store.put_container(container, "", admitted=True, at=BEGAN - 100)
        yield store


def flow(
    container: str, address: str = "10.0.0.2", port: int = 5432, at: float = BEGAN - 10, **changes: object
) -> Flow:
    facts: dict[str, Any] = {
        "container": container,
        "image": OLD_IMAGE if container == OLD else NEW_IMAGE,
        "direction": Direction.EGRESS,
        "protocol": Protocol.TCP,
        "address": address,
        "port": port,
        "verdict": FlowVerdict.ALLOWED,
        "packets": 1,
        "bytes": 1,
        "first_seen": at,
        "last_seen": at,
        "command": "",
        **changes,
    }
    return Flow(**facts)


def wait(resumption: Resumption) -> int:
    return asyncio.run(resumption.wait({OLD: NEW}, 0.0))


def test_another_replica_of_the_same_service_will_do(store: Store) -> None:
    store.add_flows([flow(OLD)])
    resumption = Resumption(store, [STEP], [STEP], BEGAN)
    with pytest.raises(ReplaceError, match=r"the new web-1 did not talk to db on tcp 5432 within 0 s"):
        wait(resumption)
    store.add_flows([flow(NEW, "10.0.0.3", at=BEGAN + 1)])
    assert wait(resumption) == 1


def test_an_address_that_is_anothers_by_now_was_still_the_peers(store: Store) -> None:
    store.add_flows([flow(OLD)])
    for identity, image, name, addresses in (
        (DB, DB_IMAGE, "db:1", ()),  # stopped, and so without an address
        ("e" * 64, OLD_IMAGE, "web:1", ("10.0.0.2",)),
    ):
        container = Container(identity, name, image, name, running=bool(addresses), addresses=addresses)
        store.put_container(container, "", admitted=True, at=BEGAN - 5)
    store.container_gone(DB, BEGAN - 4)
    resumption = Resumption(store, [STEP], [STEP], BEGAN)
    store.add_flows([flow(NEW, "10.0.0.3", at=BEGAN + 1)])
    assert wait(resumption) == 1


def test_what_comes_in_counts_by_the_port_that_was_listened_on(store: Store) -> None:
    coming: dict[str, Any] = {"direction": Direction.INGRESS}
    store.add_flows([flow(OLD, "10.0.0.9", 80, **coming), flow(OLD, "10.0.0.9", 9999, **coming)])
    resumption = Resumption(store, [STEP], [STEP], BEGAN)
    with pytest.raises(ReplaceError, match="did not get tcp requests on 80"):
        wait(resumption)
    store.add_flows([flow(NEW, "10.0.0.8", 80, BEGAN + 1, **coming)])
    assert wait(resumption) == 1


def test_what_is_long_ago_is_not_waited_for(store: Store) -> None:
    store.add_flows([flow(OLD, at=BEGAN - 3600)])
    assert wait(Resumption(store, [STEP], [STEP], BEGAN)) == 0


def test_what_the_kernel_refuses_only_the_successor_ends_it_at_once(store: Store) -> None:
    store.add_flows([flow(OLD, "8.8.8.8", 53, verdict=FlowVerdict.DENIED)])
    resumption = Resumption(store, [STEP], [STEP], BEGAN)
    store.add_flows([flow(NEW, "8.8.8.8", 53, BEGAN + 1, verdict=FlowVerdict.DENIED)])
    assert wait(resumption) == 0
    store.add_flows([flow(NEW, "9.9.9.9", 443, BEGAN + 1, verdict=FlowVerdict.DENIED)])
    with pytest.raises(ReplaceError, match=r"refused the new web-1 tcp 443 to 9\.9\.9\.9"):
        wait(resumption)


def test_one_goes_first_for_each_new_image_and_then_ten_at_a_time() -> None:
    from msgspec.structs import replace

    steps = [replace(STEP, number=number, container=f"{number:064x}") for number in range(14)]
    steps += [replace(STEP, number=20 + n, service="edge", new_image=DB_IMAGE, mode=SwapMode.IN_TURN) for n in range(3)]
    assert [len(batch) for batch in batches(steps)] == [1, 10, 3, 1, 1, 1]


def test_a_peer_that_was_replaced_just_before_is_known_by_its_old_address(store: Store) -> None:
    from msgspec.structs import replace

    networks = {"NetworkSettings": {"Networks": {"shop": {"IPAddress": "10.0.0.77"}}}}
    replaced = replace(STEP, number=2, service="db", container="e" * 64, inspected=networks)
    store.add_flows([flow(OLD, "10.0.0.77")])
    resumption = Resumption(store, [STEP], [replaced, STEP], BEGAN)
    store.add_flows([flow(NEW, "10.0.0.3", at=BEGAN + 1)])
    assert wait(resumption) == 1
