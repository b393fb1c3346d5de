"""A profile: read, written, and merged over the policy of a host."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import PolicyError
from pratique.model import EgressMode, Protocol
from pratique.policy import (
    Allow,
    Document,
    ImagePolicy,
    Owner,
    Peer,
    Profile,
    ProfiledImage,
    merge_profile,
    parse,
    parse_profile,
    profile_of,
    render,
    render_profile,
    repository,
)

CHECKOUT, REDIS = "sha256:" + "a" * 64, "sha256:" + "b" * 64
STORE = Peer(image="shop/redis", service="redis", port=6379, protocol=Protocol.TCP)
PAYMENT = Peer(to="203.0.113.4", port=443, protocol=Protocol.TCP)
PROFILE = Profile(images=(ProfiledImage("shop/checkout:1", CHECKOUT, (PAYMENT, STORE), ("/usr/bin/checkout",)),))
HERE = {Owner("shop/redis", "redis"): {"10.0.0.3"}, Owner("shop/redis"): {"10.0.0.3", "10.0.0.4"}}
IDS = {"shop/checkout:1": CHECKOUT}
TEXT = st.text(max_size=30)
PEERS = st.builds(Peer, to=st.ip_addresses().map(str), port=st.integers(0, 65535), protocol=st.just(Protocol.TCP),
                  note=TEXT) | st.builds(Peer, image=TEXT.filter(bool), service=TEXT)  # fmt: skip
IMAGES = st.builds(
    ProfiledImage,
    TEXT,
    st.just(CHECKOUT),
    st.lists(PEERS, max_size=3).map(tuple),
    st.lists(TEXT, max_size=3).map(tuple),
)


def test_profile_is_written_for_people_and_read_back() -> None:
    text = render_profile(PROFILE)
    assert "      - { image: shop/redis, service: redis, port: 6379, protocol: tcp }\n" in text
    assert parse_profile(text.encode()) == PROFILE


@given(st.lists(IMAGES, max_size=3, unique_by=lambda image: image.name))
def test_any_profile_is_read_back(images: list[ProfiledImage]) -> None:
    profile = Profile(images=tuple(images))
    assert parse_profile(render_profile(profile).encode()) == profile


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    try:
        parse_profile(text)
    except PolicyError:
        return


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version: 2", "version 2 is not known"),
        ("images: [{name: a}, {name: a}]", "image 'a' is there twice"),
        ("images: [{name: a, id: b}]", "has an id 'b' that is not of the form"),
        ("images: [{name: a, peers: [{port: 1}]}]", "it needs either 'to'"),
        ("images: [{name: a, peers: [{to: 1.1.1.1, image: b}]}]", "it needs either 'to'"),
        ("images: [{name: a, peers: [{to: 1.1.1.1, service: b}]}]", "it needs either 'to'"),
        ("images: [{name: a, peers: [{to: example.com}]}]", "'example.com' is not an address or CIDR"),
        ("images: [{name: a, peers: [{to: 1.1.1.1, port: 1}]}]", "has no protocol"),
        ("images: [{name: a, egress: learn}]", "unknown field `egress`"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(text: str, told: str) -> None:
    with pytest.raises(PolicyError) as error:
        parse_profile(text.encode(), name="x.yaml")
    assert told in error.value.what
    assert error.value.what.startswith("x.yaml")


def test_merge_stands_peers_for_the_addresses_of_their_service_here() -> None:
    merged = merge_profile(Document(), PROFILE, IDS, HERE)
    entry = merged.document.image(CHECKOUT)
    assert entry is not None
    assert [(rule.to, rule.port, rule.note) for rule in entry.allow] == [
        ("203.0.113.4", 443, ""),
        ("10.0.0.3", 6379, "redis from shop/redis"),
    ]
    assert entry.egress is EgressMode.ENFORCE
    assert (merged.added, merged.absent, merged.unresolved) == (2, (), ())
    assert parse(render(merged.document).encode()) == merged.document


def test_service_of_another_name_stands_for_all_of_its_image() -> None:
    merged = merge_profile(Document(), PROFILE, IDS, {Owner("shop/redis"): {"10.0.0.3", "10.0.0.4"}})
    entry = merged.document.image(CHECKOUT)
    assert entry is not None
    assert [rule.to for rule in entry.allow] == ["203.0.113.4", "10.0.0.3", "10.0.0.4"]


def test_peer_that_is_not_here_leaves_a_new_image_monitored() -> None:
    merged = merge_profile(Document(), PROFILE, IDS, {})
    entry = merged.document.image(CHECKOUT)
    assert entry is not None
    assert entry.egress is EgressMode.MONITOR
    assert merged.unresolved == ("shop/checkout:1 → shop/redis",)


def test_what_the_host_says_already_stays() -> None:
    mine = ImagePolicy("mine", (REDIS, CHECKOUT), EgressMode.LEARN, allow=(Allow("203.0.113.0/24"),))
    merged = merge_profile(Document(images=(mine,)), PROFILE, IDS, HERE)
    (entry,) = merged.document.images
    assert (entry.name, entry.ids, entry.egress) == ("mine", (REDIS, CHECKOUT), EgressMode.LEARN)
    assert [rule.to for rule in entry.allow] == ["203.0.113.0/24", "10.0.0.3"]
    assert merge_profile(merged.document, PROFILE, IDS, HERE).added == 0


def test_image_that_is_not_here_is_told() -> None:
    merged = merge_profile(Document(), PROFILE, {}, HERE)
    assert (merged.document, merged.absent) == (Document(), ("shop/checkout:1",))


def test_profile_is_the_same_for_the_same_behaviour() -> None:
    rules = (
        Allow("10.0.0.3", 6379, Protocol.TCP, "seen today"),
        Allow("10.0.0.9", 6379, Protocol.TCP, "seen yesterday"),
        Allow("10.0.0.1", 53, Protocol.UDP, "x"),
    )
    owners = {"10.0.0.3": Owner("shop/redis", "redis"), "10.0.0.9": Owner("shop/redis", "redis")}
    learnt = Document(images=(ImagePolicy("shop/checkout:1", (CHECKOUT,), allow=rules),))
    profile = profile_of(learnt, owners, {CHECKOUT: {"/b", "/a"}}, {"10.0.0.1": "the host, in network shop"})
    (image,) = profile.images
    assert image.peers == (Peer(to="10.0.0.1", port=53, protocol=Protocol.UDP, note="the host, in network shop"), STORE)
    assert image.programs == ("/a", "/b")


@pytest.mark.parametrize(
    ("reference", "name"),
    [("redis", "redis"), ("a/b:1", "a/b"), ("h:5000/a/b@sha256:00", "h:5000/a/b"), ("h:5000/a", "h:5000/a")],
)
def test_repository_is_a_reference_without_tag_and_digest(reference: str, name: str) -> None:
    assert repository(reference) == name
