"""Exact answers over a town whose truth can be worked out by hand; on both databases."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from pratique.errors import UsageError
from pratique.inventory import BlastRadius, Exposure, Loaded, Meaning
from pratique.model import ImagePrograms, Program, Severity
from pratique.pipelines.blast import blast_radius
from pratique.store import Store
from tests.stores import new_place_in
from tests.unit.inventory.town import APP, BASE, CART1, CART2, CVE, HOUSES, REDIS, SHELL, TOOL, build, service


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One for all tests that only ask; one that changes it builds its own."""
    with Store.open(new_place_in(request.param, request, tmp_path_factory)) as store:
        build(store)
        yield store


def names(answer: BlastRadius) -> set[str]:
    return {container.name for container in answer.containers}


def services(answer: BlastRadius) -> list[str]:
    return [one.service.name.removeprefix("shop/") for one in answer.services]


def needing(answer: BlastRadius) -> dict[str, list[str]]:
    return {
        one.service.name.removeprefix("shop/"): [part.name.removeprefix("shop/") for part in one.path]
        for one in answer.dependants
    }


CARRIERS = {"front-1", "cart-1", "cart-2", "stock-1", "batch-1", "miner-1"}


@pytest.mark.parametrize("name", [CVE, CVE.lower(), "DSA-5343-1", "GHSA-X4QR-2FVF-3MR5", f"vulnerability:{CVE}"])
def test_vulnerability_is_found_by_every_name_it_has(town: Store, name: str) -> None:
    answer = blast_radius(town, name)
    assert answer.meaning is Meaning.VULNERABILITY
    assert names(answer) == CARRIERS
    assert (answer.totals.containers, answer.totals.images, answer.totals.services) == (6, 5, 5)


def test_mended_image_removed_container_and_renewed_report_do_not_count(town: Store) -> None:
    answer = blast_radius(town, CVE)
    assert not {"cart-3", "gone-1", "redis-1"} & names(answer)


def test_image_tells_package_layer_and_mend(town: Store) -> None:
    answer = blast_radius(town, CVE)
    cart = next(one for one in answer.images if one.id == CART1.id)
    (carried,) = cart.carried
    assert (carried.what, carried.layer, carried.position) == ("libssl3 3.0.7-1", BASE, 0)
    assert (carried.rule, carried.fixed, carried.path) == (CVE, "3.0.8-1", "var/lib/dpkg/status")
    assert cart.containers == 2


def test_container_tells_since_when_and_how_it_can_be_reached(town: Store) -> None:
    answer = blast_radius(town, CVE)
    front = next(one for one in answer.containers if one.name == "front-1")
    assert (front.since, front.exposure, front.loaded) == (10.0, Exposure.PUBLISHED, Loaded.UNKNOWN)
    stock = next(one for one in answer.services if one.service == service("stock"))
    assert stock.exposure is Exposure.THROUGH
    assert stock.through == (service("front"), service("cart"), service("stock"))
    miner = next(one for one in answer.services if one.service == service("miner"))
    assert miner.exposure is Exposure.NONE


def test_services_come_in_the_order_of_their_risk(town: Store) -> None:
    answer = blast_radius(town, CVE)
    assert services(answer) == ["front", "cart", "stock", "batch", "miner"]
    scores = [one.risk.score for one in answer.services]
    assert scores == sorted(scores, reverse=True)
    front, cart = answer.services[:2]
    assert (front.risk.severity, front.risk.exposure, front.risk.dependants) == (30, 15, 0)
    assert (cart.dependants, cart.containers, cart.images) == (3, 2, 1)
    assert set(cart.direct) == {service("front"), service("stock"), service("batch")}


def test_dependants_are_found_over_circles_and_refused_traffic_makes_none(town: Store) -> None:
    answer = blast_radius(town, "package:redis")
    assert names(answer) == {"redis-1"}
    assert needing(answer) == {
        "cart": ["cart", "redis"],
        "front": ["front", "cart", "redis"],
        "stock": ["stock", "cart", "redis"],
        "batch": ["batch", "cart", "redis"],
    }
    assert (answer.services[0].dependants, answer.totals.dependants) == (4, 4)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("openssl", CARRIERS | {"cart-3"}),
        ("libssl3", CARRIERS | {"cart-3"}),
        ("openssl<3.0.8", CARRIERS),
        ("openssl<3.0.7-1", set()),
        ("openssl<=3.0.7-1", CARRIERS),
        ("libssl3@3.0.9-1", {"cart-3"}),
        ("flask<2.0.10", {"stock-1"}),
        ("FLASK==2.0.1.0", {"stock-1"}),
        ("flask<2.0.1", set()),
    ],
)
def test_package_is_asked_for_by_the_order_of_its_ecosystem(town: Store, question: str, expected: set[str]) -> None:
    assert names(blast_radius(town, question)) == expected


def test_package_is_as_bad_as_its_flaws(town: Store) -> None:
    answer = blast_radius(town, "openssl")
    threats = {one.service.name: one.threat.severity for one in answer.services}
    assert threats["shop/front"] is Severity.HIGH
    mended = next(one for one in answer.images if one.id == CART2.id)
    assert mended.threat.severity is Severity.UNKNOWN
    assert [(one.what, one.position, one.rule) for one in mended.carried] == [("libssl3 3.0.9-1", 2, "")]


def test_file_is_found_where_it_shows_and_not_where_a_layer_removed_it(town: Store) -> None:
    answer = blast_radius(town, TOOL.hex())
    assert answer.meaning is Meaning.FILE
    assert names(answer) == {"front-1", "cart-1", "cart-2", "stock-1"}
    assert {(one.what, one.layer) for image in answer.images for one in image.carried} == {("/usr/bin/tool", APP)}
    assert "cart-3" in names(blast_radius(town, f"file:{SHELL.hex()}"))


def test_file_that_appears_late_in_a_layer_is_not_laid_to_images_that_hide_it(store: Store) -> None:
    build(store)
    late = bytes(31) + b"x"
    store.put_programs(ImagePrograms(REDIS, 2.0, (Program("usr/bin/late", 1, late), Program("bin/sh", 0, SHELL))))
    assert names(blast_radius(store, late.hex())) == {"redis-1"}
    assert "redis-1" in names(blast_radius(store, SHELL.hex()))
    assert "redis-1" not in names(blast_radius(store, TOOL.hex()))


def test_image_is_asked_for_by_reference_and_by_id(town: Store) -> None:
    for question in ("shop/cart:1", CART1.id, CART1.id[:20], f"image:{CART1.id[7:19]}"):
        answer = blast_radius(town, question)
        assert (answer.meaning, names(answer)) == (Meaning.IMAGE, {"cart-1", "cart-2"})
        assert answer.threat.severity is Severity.HIGH


def test_name_that_moved_to_another_image_means_that_one(store: Store) -> None:
    build(store)
    store.put_image(replace(CART1, references=()), 100.0)
    store.put_image(replace(CART2, references=("shop/cart:1", "shop/cart:2")), 100.0)
    assert names(blast_radius(store, "shop/cart:1")) == {"cart-3"}


def test_container_is_asked_for_by_name_and_id(town: Store) -> None:
    for question in ("cart-2", HOUSES["cart-2"].id, f"container:{HOUSES['cart-2'].id[:12]}"):
        answer = blast_radius(town, question)
        assert (answer.meaning, names(answer), services(answer)) == (Meaning.CONTAINER, {"cart-2"}, ["cart"])
        assert set(needing(answer)) == {"front", "stock", "batch"}
        assert answer.totals.containers == 1


def test_name_of_several_things_is_an_error_that_says_how_to_choose(store: Store) -> None:
    build(store)
    store.put_image(replace(REDIS, references=("redis:latest",)), 5.0)
    with pytest.raises(UsageError, match="a package and an image") as caught:
        blast_radius(store, "redis")
    assert caught.value.hint == "say which: package:redis or image:redis"


@pytest.mark.parametrize("question", ["CVE-1999-0001", "nothing", "nothing<1", "ab" * 32, "shop/nothing:1"])
def test_what_nobody_carries_is_an_answer_that_tells_what_nobody_looked_into(town: Store, question: str) -> None:
    answer = blast_radius(town, question)
    assert not answer.found
    assert not answer.services
    assert not answer.containers
    assert (answer.not_scanned.images, answer.not_scanned.containers) in {(1, 1), (5, 4)}


def test_limit_bounds_what_is_listed_and_not_what_is_counted(town: Store) -> None:
    answer = blast_radius(town, CVE, limit=2)
    assert (len(answer.services), len(answer.containers), len(answer.images)) == (2, 2, 2)
    assert (answer.totals.services, answer.totals.containers, answer.totals.images) == (5, 6, 5)
    everything = blast_radius(town, CVE, limit=None)
    assert len(everything.containers) == 6


def test_edges_between_listed_services_are_told(town: Store) -> None:
    answer = blast_radius(town, "package:redis")
    pairs = {(edge.source.name, edge.target.name) for edge in answer.edges}
    assert pairs == {
        ("shop/front", "shop/cart"),
        ("shop/cart", "shop/stock"),
        ("shop/stock", "shop/cart"),
        ("shop/cart", "shop/redis"),
        ("shop/batch", "shop/cart"),
    }
