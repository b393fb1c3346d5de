import pytest
from msgspec.structs import replace

from pratique.model import FindingKind, ImageId, Mount, Severity
from pratique.store import ReportSummary, Store
from tests.unit.store.values import CHECKOUT, CONTAINER, REDIS, finding, report


def test_image_keeps_its_first_time_and_takes_its_newest_names(store: Store) -> None:
    store.put_image(CHECKOUT, 10.0)
    store.put_image(replace(CHECKOUT, references=("shop/checkout:2",)), 20.0)
    store.put_image(CHECKOUT, 15.0)
    (record,) = store.images()
    assert (record.first_seen, record.last_seen) == (10.0, 20.0)
    assert record.report is None


def test_report_comes_back_whole_and_its_counts_stand_beside_the_image(store: Store) -> None:
    written = report(
        finding(),
        finding(FindingKind.SECRET),
        finding(FindingKind.VULNERABILITY, Severity.CRITICAL),
        finding(FindingKind.VULNERABILITY, Severity.LOW),
    )
    store.put_report(written)
    assert store.report(CHECKOUT.id) == written
    (record,) = store.images()
    assert record.report == ReportSummary(100.0, 0, 1, 1, 0, 1, 0, 0, 1, 0)


def test_older_report_does_not_replace_a_newer_one(store: Store) -> None:
    newer = report(at=200.0)
    store.put_report(newer)
    store.put_report(report(finding(), at=100.0))
    assert store.report(CHECKOUT.id) == newer


def test_unknown_image_has_no_report(store: Store) -> None:
    assert store.report("sha256:" + "0" * 64) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (CHECKOUT.id, (CHECKOUT.id,)),
        ("a" * 12, (CHECKOUT.id,)),
        ("a" * 64, (CHECKOUT.id,)),
        ("shop/checkout:1", (CHECKOUT.id,)),
        ("shop/redis", (REDIS.id,)),
        ("shop/checkout", ()),
        ("aaaa", ()),
        ("%", ()),
        ("", ()),
    ],
)
def test_image_is_found_by_id_prefix_or_reference(store: Store, name: str, expected: tuple[str, ...]) -> None:
    store.put_image(CHECKOUT, 1.0)
    store.put_image(REDIS, 1.0)
    assert store.image_ids(name) == expected


def test_container_is_renewed_and_leaves_the_list_when_gone(store: Store) -> None:
    store.put_container(CONTAINER, "unlisted", False, 10.0)
    renamed = replace(CONTAINER, name="renamed", mounts=(Mount("bind", "/srv", "/data"),))
    store.put_container(renamed, "shop/checkout", True, 20.0)
    (record,) = store.containers()
    assert record.container == renamed
    assert (record.policy, record.admitted, record.first_seen, record.last_seen) == ("shop/checkout", True, 10.0, 20.0)
    store.container_gone(CONTAINER.id, 30.0)
    store.container_gone(CONTAINER.id, 40.0)
    assert store.containers() == []
    (gone,) = store.containers(gone=True)
    assert gone.gone_at == 30.0


def test_containers_are_listed_by_image(store: Store) -> None:
    store.put_container(CONTAINER, "p", True, 10.0)
    store.put_container(replace(CONTAINER, id="d" * 64, image=REDIS.id), "p", True, 11.0)
    (record,) = store.containers(images=[REDIS.id])
    assert record.container.id == "d" * 64
    assert store.containers(images=[]) == []


def test_names_that_are_not_unicode_are_kept_readable(store: Store) -> None:
    hostile = "a\udc80\x00\x1b[31m"
    store.put_image(replace(CHECKOUT, references=(hostile,)), 1.0)
    store.put_container(replace(CONTAINER, name=hostile, image=ImageId(hostile)), hostile, False, 1.0)
    assert store.images()[0].image.references == ("a??\x1b[31m",)
    assert store.containers()[0].container.name == "a??\x1b[31m"
