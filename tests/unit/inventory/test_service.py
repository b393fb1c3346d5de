import pytest
from msgspec.structs import replace

from pratique.inventory import INTERNET, Service, ServiceKind, is_exposed, outsider, repository, service_of
from pratique.model import Container, ImageId, Network, Protocol, PublishedPort

CONTAINER = Container("c" * 64, "name", ImageId("sha256:" + "a" * 64), image_reference="registry:5000/shop/cart:1")
POD = "io.kubernetes.pod."


@pytest.mark.parametrize(
    ("labels", "kind", "name"),
    [
        (
            {"com.docker.compose.project": "shop", "com.docker.compose.service": "cart"},
            ServiceKind.COMPOSE,
            "shop/cart",
        ),
        ({"com.docker.swarm.service.name": "shop_cart"}, ServiceKind.SWARM, "shop_cart"),
        ({f"{POD}name": "cart-7d4b9c6f5d-x2x8q", f"{POD}namespace": "shop"}, ServiceKind.KUBERNETES, "shop/cart"),
        ({f"{POD}name": "log-agent-x2x8q", f"{POD}namespace": "kube"}, ServiceKind.KUBERNETES, "kube/log-agent"),
        ({f"{POD}name": "db-0"}, ServiceKind.KUBERNETES, "default/db"),
        ({f"{POD}name": "alone"}, ServiceKind.KUBERNETES, "default/alone"),
        ({}, ServiceKind.IMAGE, "registry:5000/shop/cart"),
        ({"com.docker.compose.service": ""}, ServiceKind.IMAGE, "registry:5000/shop/cart"),
    ],
)
def test_service_is_told_by_labels_or_else_by_image(labels: dict[str, str], kind: ServiceKind, name: str) -> None:
    assert service_of(replace(CONTAINER, labels=labels)) == Service(kind, name)


def test_label_of_any_length_gives_a_bounded_name() -> None:
    labels = {"com.docker.compose.project": "p" * 10_000, "com.docker.compose.service": "s"}
    assert len(service_of(replace(CONTAINER, labels=labels)).name) == 200


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("redis", "redis"),
        ("redis:7", "redis"),
        ("a:5000/b/c", "a:5000/b/c"),
        ("a:5000/b/c:1", "a:5000/b/c"),
        ("b/c@sha256:" + "a" * 64, "b/c"),
        ("b/c:1@sha256:" + "a" * 64, "b/c"),
        ("sha256:" + "a" * 64, ""),
        ("abcdef012345", ""),
        ("", ""),
    ],
)
def test_repository_is_the_name_without_tag_and_digest(reference: str, expected: str) -> None:
    assert repository(reference) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [("0.0.0.0", True), ("::", True), ("192.168.1.2", True), ("127.0.0.1", False), ("::1", False), ("what", True)],
)
def test_port_is_exposed_unless_only_this_host_reaches_it(address: str, expected: bool) -> None:
    published = (PublishedPort(address, 80, Protocol.TCP, 80),)
    assert is_exposed(replace(CONTAINER, published=published)) is expected


def test_network_of_the_host_and_way_into_a_swarm_are_exposed() -> None:
    assert not is_exposed(replace(CONTAINER, networks=(Network("bridge"),)))
    assert is_exposed(replace(CONTAINER, networks=(Network("host"),)))
    assert is_exposed(replace(CONTAINER, networks=(Network("ingress"),)))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("9.9.9.9", INTERNET),
        ("2620:fe::fe", INTERNET),
        ("10.1.2.3", Service(ServiceKind.NETWORK, "10.1.2.0/24")),
        ("fd00:1::5", Service(ServiceKind.NETWORK, "fd00:1::/64")),
        ("127.0.0.11", None),
        ("::1", None),
        ("224.0.0.1", None),
        ("0.0.0.0", None),
        ("not an address", None),
    ],
)
def test_address_of_no_container_is_the_internet_a_network_or_nobody(address: str, expected: Service | None) -> None:
    assert outsider(address) == expected
