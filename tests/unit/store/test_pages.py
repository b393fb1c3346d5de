"""Pages of records, in either dialect."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from pratique.errors import UsageError
from pratique.inventory import Service, ServiceKind
from pratique.model import Action, FlowVerdict, Severity
from pratique.store import Store
from pratique.store.pages import Filter, place
from tests.unit.store.values import CHECKOUT, CONTAINER, REDIS, alert, decision, finding, flow, report


def _all(page: Callable[[str], list[Any]], cursor_of: Callable[[Any], str]) -> list[Any]:
    found: list[Any] = []
    cursor = ""
    while some := page(cursor):
        found += some
        cursor = cursor_of(some[-1])
    return found


def test_journals_are_read_a_page_at_a_time_newest_first(store: Store) -> None:
    store.add_alerts([alert(str(number), at=100.0 + number) for number in range(7)])
    store.add_flows([flow(port=number + 1, at=100.0 + number) for number in range(7)])
    store.append_decisions([decision(number, at=100.0 + number) for number in range(7)])
    pages = store.pages
    for read in (pages.alerts, pages.flows, pages.decisions):
        found = _all(partial(read, 3), lambda record: str(record.id))
        ids = [record.id for record in found]
        assert len(ids) == 7
        assert ids == sorted(ids, reverse=True)


def test_images_and_containers_are_read_a_page_at_a_time(store: Store) -> None:
    for number in range(7):
        image = replace(CHECKOUT, id=f"sha256:{number:064x}")
        store.put_image(image, 100.0 + number // 3)
        store.put_container(
            replace(CONTAINER, id=f"{number:064x}", image=image.id), "unlisted", True, 100.0 + number // 3
        )
    pages = store.pages
    images = _all(partial(pages.images, 2), lambda one: place(one.last_seen, one.image.id))
    containers = _all(
        partial(pages.containers, 2),
        lambda one: place(one.first_seen, one.container.id),
    )
    assert len({one.image.id for one in images}) == len(images) == 7
    assert len({one.container.id for one in containers}) == len(containers) == 7


@pytest.mark.parametrize("cursor", ["x", "1", "~", "nan~a", "inf~a", "1e999~a"])
def test_a_cursor_that_is_none_is_one_error(store: Store, cursor: str) -> None:
    with pytest.raises(UsageError):
        store.pages.images(1, cursor)


def test_filters_leave_only_what_is_wanted(store: Store) -> None:
    bad = replace(alert("bad", at=200.0, severity=Severity.CRITICAL), rule="exec.drift", container=CONTAINER.id)
    store.add_alerts([alert("a", at=100.0), bad])
    store.add_flows([flow(at=100.0), flow("1.2.3.4", 1, at=200.0, verdict=FlowVerdict.DENIED, image=REDIS.id)])
    pages = store.pages

    def alerts(only: Filter) -> list[str]:
        return [record.alert.key for record in pages.alerts(9, only=only)]

    assert alerts(Filter(since=150.0)) == ["bad"]
    assert alerts(Filter(until=150.0)) == ["a"]
    assert alerts(Filter(at_least=Severity.CRITICAL.rank)) == ["bad"]
    assert alerts(Filter(rule="exec.drift")) == ["bad"]
    assert alerts(Filter(containers=(CONTAINER.id,))) == ["bad"]
    assert alerts(Filter(images=())) == []
    for only in (Filter(verdicts=("denied",)), Filter(address="1.2.3.4"), Filter(images=(REDIS.id,))):
        assert [record.flow.address for record in pages.flows(9, only=only)] == ["1.2.3.4"]


def test_one_thing_is_found_by_the_beginning_of_its_id_unless_several_begin_so(store: Store) -> None:
    store.put_image(CHECKOUT, 1.0)
    store.put_image(replace(CHECKOUT, id="sha256:" + "a" * 63 + "b"), 1.0)
    store.put_image(REDIS, 1.0)
    store.put_container(CONTAINER, "unlisted", True, 1.0)
    found = store.pages.image_beginning(REDIS.id[:19])
    assert found is not None
    assert found.image == REDIS
    assert store.pages.image_beginning(CHECKOUT.id[:19]) is None
    assert store.pages.image_beginning(CHECKOUT.id) is not None
    assert store.pages.container(CONTAINER.id[:12]) is not None
    assert store.pages.container("d" * 12) is None


def test_images_are_found_by_a_part_of_a_name_or_id_taken_literally(store: Store) -> None:
    store.put_image(CHECKOUT, 1.0)
    store.put_image(replace(REDIS, references=("shop/100%_redis:latest",)), 1.0)
    for like, wanted in (("CHECK", CHECKOUT.id), ("0%_r", REDIS.id), ("a" * 20, CHECKOUT.id)):
        assert [one.image.id for one in store.pages.images(9, like=like)] == [wanted]
    assert store.pages.images(9, like="%") == store.pages.images(9, like="0%")
    assert store.pages.images(9, like="_checkout") == []


def test_counts_are_those_of_what_is_here(store: Store) -> None:
    store.put_report(report(finding(), at=1.0))
    store.put_image(REDIS, 1.0)
    store.put_container(CONTAINER, "unlisted", False, 1.0)
    store.put_container(replace(CONTAINER, id="d" * 64), "unlisted", True, 1.0)
    store.put_container(replace(CONTAINER, id="e" * 64), "unlisted", False, 1.0)
    store.container_gone("e" * 64, 2.0)
    wanted = {"images": 2, "unscanned": 1, "malicious": 1, "containers": 2, "unadmitted": 1}
    assert store.pages.counts() == wanted


def test_names_of_images_containers_and_addresses(store: Store) -> None:
    store.put_image(CHECKOUT, 1.0)
    here = replace(CONTAINER, addresses=("10.0.0.7",), labels={"com.docker.compose.service": "web"})
    store.put_container(here, "unlisted", True, 1.0)
    assert store.pages.names([CHECKOUT.id, "sha256:unknown"]) == {CHECKOUT.id: "shop/checkout:1"}
    assert store.pages.container_names([CONTAINER.id, "unknown"]) == {CONTAINER.id: "checkout-1"}
    web = Service(ServiceKind.COMPOSE, "/web")
    assert store.pages.services_at(["10.0.0.7", "10.0.0.8"]) == {"10.0.0.7": web}
    assert store.pages.service_images() == [(web, CHECKOUT.id)]
    store.container_gone(CONTAINER.id, 2.0)
    assert store.pages.services_at(["10.0.0.7"]) == {}
    assert store.pages.service_images() == []


def test_of_what_is_new_the_newest_comes_last(store: Store) -> None:
    assert store.pages.last_ids() == (0, 0)
    store.add_alerts([alert(str(number), at=100.0 + number) for number in range(5)])
    assert [record.alert.key for record in store.pages.alerts_since(101.0, 3)] == ["2", "3", "4"]
    assert [(at, action) for at, action, _ in store.pages.actions(103.0, 9)] == [
        (104.0, Action.DENIED),
        (103.0, Action.DENIED),
    ]
    store.add_flows([flow()])
    store.append_decisions([decision()])
    assert store.pages.last_ids() == (1, 1)
