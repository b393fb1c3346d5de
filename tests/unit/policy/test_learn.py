import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.model import Direction, DriftMode, EgressMode, Flow, FlowVerdict, Protocol
from pratique.policy import Allow, Document, ImagePolicy, learn, parse, render

CHECKOUT, REDIS = "sha256:" + "a" * 64, "sha256:" + "b" * 64
NAMES = {CHECKOUT: "shop/checkout:1", REDIS: "shop/redis:7"}


def flow(
    address: str = "10.0.0.2",
    port: int = 6379,
    protocol: Protocol = Protocol.TCP,
    *,
    image: str = CHECKOUT,
    container: str = "c1",
    verdict: FlowVerdict = FlowVerdict.LEARNT,
    direction: Direction = Direction.EGRESS,
    command: str = "python3",
) -> Flow:
    return Flow(container, image, direction, protocol, address, port, verdict, 5, 300, 1e9, 1e9 + 600, command)


def rules(document: Document, image: str = CHECKOUT) -> set[tuple[str, int, Protocol | None]]:
    entry = document.image(image)
    assert entry is not None
    return {(rule.to, rule.port, rule.protocol) for rule in entry.allow}


def test_peers_of_an_image_become_its_list_in_mode_enforce() -> None:
    lesson = learn(Document(), [flow(), flow("203.0.113.5", 443)], {CHECKOUT: NAMES[CHECKOUT]})
    entry = lesson.document.image(CHECKOUT)
    assert entry is not None
    assert (entry.name, entry.egress, entry.drift) == ("shop/checkout:1", EgressMode.ENFORCE, DriftMode.KILL)
    assert rules(lesson.document) == {("10.0.0.2", 6379, Protocol.TCP), ("203.0.113.5", 443, Protocol.TCP)}
    assert lesson.added == 2


def test_image_that_talked_to_nobody_may_talk_to_nobody() -> None:
    lesson = learn(Document(), [], NAMES)
    assert rules(lesson.document, REDIS) == set()
    entry = lesson.document.image(REDIS)
    assert entry is not None
    assert entry.egress is EgressMode.ENFORCE


def test_note_says_when_how_much_and_by_what() -> None:
    lesson = learn(Document(), [flow(command="curl"), flow(container="c2")], NAMES)
    entry = lesson.document.image(CHECKOUT)
    assert entry is not None
    assert entry.allow[0].note == "seen 2001-09-09 01:46 to 2001-09-09 01:56 UTC, 10 packets, by curl, python3"


def test_containers_of_one_image_share_one_rule() -> None:
    lesson = learn(Document(), [flow(container="c1"), flow(container="c2")], NAMES)
    assert lesson.added == 1


def test_rules_that_are_there_stay_and_are_not_doubled() -> None:
    entry = ImagePolicy(
        name="mine",
        ids=(CHECKOUT,),
        egress=EgressMode.LEARN,
        drift=DriftMode.ALERT,
        allow=(Allow(to="10.0.0.0/8", note="our network"),),
    )
    lesson = learn(Document(images=(entry,)), [flow(), flow("203.0.113.5", 443)], NAMES)
    kept = lesson.document.image(CHECKOUT)
    assert kept is not None
    assert (kept.name, kept.drift, kept.allow[0]) == ("mine", DriftMode.ALERT, entry.allow[0])
    assert rules(lesson.document) == {("10.0.0.0/8", 0, None), ("203.0.113.5", 443, Protocol.TCP)}
    assert (lesson.added, lesson.known) == (1, 1)


def test_learning_twice_adds_nothing() -> None:
    first = learn(Document(), [flow(), flow("fd00::2", 443)], NAMES)
    second = learn(first.document, [flow(), flow("fd00::2", 443)], NAMES)
    assert second.document == first.document
    assert (second.added, second.known) == (0, 2)


def test_images_with_one_entry_share_what_they_learn() -> None:
    document = Document(images=(ImagePolicy(name="both", ids=(CHECKOUT, REDIS)),))
    lesson = learn(document, [flow(), flow(image=REDIS)], NAMES)
    assert len(lesson.document.images) == 1
    assert lesson.added == 1


def test_refused_traffic_is_learnt_only_when_asked_for() -> None:
    refused = [flow(verdict=FlowVerdict.DENIED)]
    assert learn(Document(), refused, NAMES).added == 0
    assert learn(Document(), refused, NAMES, include_denied=True).added == 1


def test_nothing_is_learnt_from_a_suspect_and_its_image_keeps_its_mode() -> None:
    document = Document(images=(ImagePolicy(name="x", ids=(CHECKOUT,), egress=EgressMode.LEARN),))
    lesson = learn(document, [flow(container="bad"), flow("10.0.0.3", container="good")], NAMES, suspects={"bad"})
    assert rules(lesson.document) == {("10.0.0.3", 6379, Protocol.TCP)}
    entry = lesson.document.image(CHECKOUT)
    assert entry is not None
    assert entry.egress is EgressMode.LEARN
    assert lesson.suspected == (CHECKOUT,)


def test_images_that_were_not_watched_are_left_alone() -> None:
    document = Document(images=(ImagePolicy(name="r", ids=(REDIS,), egress=EgressMode.MONITOR),))
    lesson = learn(document, [flow(image=REDIS)], {CHECKOUT: "c"})
    assert lesson.document.image(REDIS) == document.image(REDIS)


@pytest.mark.parametrize(
    "noise",
    [
        flow(port=53211, protocol=Protocol.UDP),
        flow(port=0, protocol=Protocol.ICMP),
        flow(port=3, protocol=Protocol.ICMP),
        flow("fe80::1", 135, Protocol.ICMP),
        flow("ff02::16", 143, Protocol.ICMP),
        flow("224.0.0.22", 2, Protocol.RAW),
        flow(direction=Direction.INGRESS),
    ],
)
def test_answers_and_noise_are_not_learnt(noise: Flow) -> None:
    lesson = learn(Document(), [noise], NAMES)
    assert (lesson.added, lesson.ignored) == (0, 1)


@pytest.mark.parametrize(
    "wish", [flow(port=53, protocol=Protocol.UDP), flow(port=8, protocol=Protocol.ICMP), flow(port=45000)]
)
def test_what_a_program_asked_for_is_learnt(wish: Flow) -> None:
    assert learn(Document(), [wish], NAMES).added == 1


def test_ipv4_address_in_ipv6_clothes_is_learnt_as_what_it_is() -> None:
    lesson = learn(Document(), [flow("::ffff:10.0.0.9", 80)], NAMES)
    assert rules(lesson.document) == {("10.0.0.9", 80, Protocol.TCP)}
    assert parse(render(lesson.document).encode()) == lesson.document


FLOWS = st.lists(
    st.builds(
        flow,
        st.ip_addresses().filter(lambda ip: ip.version == 4 or ip.ipv4_mapped is None).map(str),
        st.integers(0, 65535),
        st.sampled_from(Protocol),
        image=st.sampled_from([CHECKOUT, REDIS, "sha256:" + "c" * 64]),
        container=st.sampled_from(["c1", "c2"]),
        verdict=st.sampled_from(FlowVerdict),
        direction=st.sampled_from(Direction),
        command=st.text(max_size=15),
    ),
    max_size=20,
)


@given(FLOWS, st.booleans())
def test_what_was_learnt_is_a_valid_policy_that_allows_no_more_than_was_seen(flows: list[Flow], denied: bool) -> None:
    lesson = learn(Document(), flows, NAMES, suspects={"c2"}, include_denied=denied)
    written = parse(render(lesson.document).encode())
    seen = {(flow.image, str(ipaddress.ip_address(flow.address)), flow.port, flow.protocol) for flow in flows}
    for entry in written.images:
        assert entry.ids[0] in NAMES
        for rule in entry.allow:
            assert (entry.ids[0], rule.to, rule.port, rule.protocol) in seen
