"""The name server that knows every name."""

import ipaddress
import struct

from hypothesis import given
from hypothesis import strategies as st

from pratique.sandbox.sinkhole import dns
from pratique.sandbox.sinkhole.names import Names, is_address


def question(name: str, kind: int = 1, *, number: int = 7, flags: int = 0x0100, group: int = 1) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part)
    return struct.pack(">HHHHHH", number, flags, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, group)


def answered(message: bytes, names: Names) -> tuple[int, int, bytes]:
    """Flags, number of answers, data of the first."""
    parsed = dns.parse(message)
    assert parsed is not None
    reply = dns.answer(parsed, names)
    assert reply[:2] == message[:2]
    assert reply[12 : 12 + len(parsed.raw)] == parsed.raw
    _, flags, _, count, _, _ = struct.unpack_from(">HHHHHH", reply)
    return flags, count, reply[12 + len(parsed.raw) + 12 :] if count else b""


def test_each_name_has_an_address_of_its_own_and_keeps_it() -> None:
    names = Names()
    first = answered(question("one.example"), names)[2]
    second = answered(question("two.example"), names)[2]
    assert first != second
    assert answered(question("ONE.example"), names)[2] == first
    assert names.name_of(str(ipaddress.IPv4Address(first))) == "one.example"


def test_address_of_either_family_tells_the_name() -> None:
    names = Names()
    data = answered(question("six.example", 28), names)[2]
    assert names.name_of(str(ipaddress.IPv6Address(data))) == "six.example"
    assert names.name_of("192.0.2.1") == names.name_of("fd00::1") == ""


def test_mail_and_text_are_answered_other_kinds_exist_without_data() -> None:
    names = Names()
    assert answered(question("a.example", 15), names)[1] == 1
    assert answered(question("a.example", 16), names)[2].endswith(b"v=spf1 a -all")
    assert answered(question("a.example", 257), names)[:2] == (0x8180, 0)


def test_address_has_no_name() -> None:
    assert answered(question("1.2.0.192.in-addr.arpa", 12), Names())[:2] == (0x8183, 0)


def test_what_is_no_question_is_none() -> None:
    good = question("a.example")
    assert dns.parse(good) is not None
    for message in (
        b"",
        good[:11],
        good[:-1],
        question("a.example", flags=0x8180),
        question("a.example", group=3),
        good[:4] + b"\0\2" + good[6:],
        good[:12] + b"\xc0\x0c\0\1\0\1",
        good[:12] + bytes([63]) + b"short",
        question(".".join(["x" * 60] * 5)),
    ):
        assert dns.parse(message) is None


def test_name_is_fit_to_be_shown() -> None:
    parsed = dns.parse(question("a\x1b[2J.example"))
    assert parsed is not None
    assert parsed.name == "a\\x1b[2j.example"


def test_names_beyond_the_bound_share_an_address() -> None:
    names = Names()
    addresses = {names.addresses(f"{number}.example") for number in range(65_600)}
    assert len(addresses) == 65_537
    assert all(str(four).startswith(("198.18.", "198.19.")) for four, _ in addresses)


@given(st.binary(max_size=600))
def test_no_message_breaks_it(message: bytes) -> None:
    parsed = dns.parse(message)
    if parsed is not None:
        assert parsed.name.isprintable() or not parsed.name
        dns.answer(parsed, Names())


@given(st.binary(max_size=300))
def test_no_questions_body_breaks_it(body: bytes) -> None:
    parsed = dns.parse(struct.pack(">HHHHHH", 1, 0x0100, 1, 0, 0, 0) + body)
    if parsed is not None:
        dns.answer(parsed, Names())


def test_addresses_are_told_from_names() -> None:
    assert is_address("192.0.2.1")
    assert is_address("[fd00::1]")
    assert not is_address("example.org")
