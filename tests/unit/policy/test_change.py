import pytest

from pratique.model import DriftMode, EgressMode, Protocol
from pratique.policy import Allow, Document, ImagePolicy, Unlisted, allow_more, parse, render, ruling

IMAGE = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
REDIS = Allow("10.0.0.2", 6379, Protocol.TCP)
WIDE = Allow("10.0.0.0/8")


def test_the_narrowest_rule_is_the_ruling() -> None:
    assert ruling((WIDE, REDIS), "10.0.0.2", Protocol.TCP, 6379) is REDIS
    assert ruling((WIDE, REDIS), "10.0.0.2", Protocol.TCP, 80) is WIDE
    assert ruling((WIDE, REDIS), "11.0.0.2", Protocol.TCP, 80) is None
    assert ruling((WIDE,), "::ffff:10.1.1.1", Protocol.UDP, 53) is WIDE
    assert ruling((WIDE,), "::1", Protocol.UDP, 53) is None


def test_what_is_no_address_is_an_error() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        ruling((WIDE,), "nowhere", Protocol.TCP, 1)


def test_new_rules_come_behind_the_old_ones_and_none_is_doubled() -> None:
    document = Document(images=(ImagePolicy("a", (IMAGE,), allow=(WIDE,)), ImagePolicy("b", (OTHER,))))
    changed = allow_more(document, IMAGE, "ignored", [REDIS, WIDE])
    entry = changed.image(IMAGE)
    assert entry is not None
    assert (entry.name, entry.allow) == ("a", (WIDE, REDIS))
    assert changed.image(OTHER) == document.image(OTHER)
    assert allow_more(changed, IMAGE, "", [REDIS]) == changed


def test_an_unlisted_image_keeps_what_held_for_it() -> None:
    document = Document(unlisted=Unlisted(EgressMode.MONITOR, DriftMode.ALERT, (WIDE,)))
    entry = allow_more(document, IMAGE, "a", [REDIS]).image(IMAGE)
    assert entry == ImagePolicy("a", (IMAGE,), EgressMode.MONITOR, DriftMode.ALERT, (WIDE, REDIS))


def test_the_mode_changes_only_when_it_is_said() -> None:
    document = Document(images=(ImagePolicy("a", (IMAGE,), EgressMode.LEARN),))
    for said, then in ((None, EgressMode.LEARN), (EgressMode.ENFORCE, EgressMode.ENFORCE)):
        entry = allow_more(document, IMAGE, "a", [REDIS], egress=said).image(IMAGE)
        assert entry is not None
        assert entry.egress is then


def test_what_comes_out_can_be_written_and_read() -> None:
    changed = allow_more(Document(), IMAGE, "<script>\n'\"", [REDIS])
    assert parse(render(changed).encode()) == changed
