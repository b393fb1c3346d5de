import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.sensor.netlink import LinkChange, parse_changes

NEW, DELETED = 16, 17


def attribute(kind: int, value: bytes) -> bytes:
    data = struct.pack("=HH", 4 + len(value), kind) + value
    return data + bytes(-len(data) % 4)


def link(index: int, *attributes: bytes, kind: int = NEW) -> bytes:
    body = struct.pack("=BxHiII", 0, 1, index, 0, 0) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


ELSEWHERE = attribute(37, struct.pack("=i", 0))
VETH = attribute(18, attribute(1, b"veth\0"))
BRIDGE = attribute(18, attribute(1, b"bridge\0"))
VLAN = attribute(18, attribute(1, b"vlan\0"))


def test_veth_with_its_other_end_elsewhere_is_present() -> None:
    assert parse_changes(link(7, attribute(3, b"veth1\0"), VETH, ELSEWHERE)) == [LinkChange(index=7, present=True)]


def test_bridge_is_present() -> None:
    assert parse_changes(link(7, attribute(3, b"docker0\0"), BRIDGE)) == [LinkChange(index=7, present=True)]


@pytest.mark.parametrize("attributes", [(VETH,), (VLAN, ELSEWHERE), (ELSEWHERE,), ()])
def test_other_interfaces_are_left_alone(attributes: tuple[bytes, ...]) -> None:
    assert parse_changes(link(7, *attributes)) == []


def test_removed_interface_is_told() -> None:
    assert parse_changes(link(7, kind=DELETED)) == [LinkChange(index=7, present=False)]


def test_several_messages_in_one_datagram_are_all_read() -> None:
    data = link(1, VETH, ELSEWHERE) + link(2, VLAN) + link(3, VETH, ELSEWHERE)
    assert [change.index for change in parse_changes(data)] == [1, 3]


@given(st.binary(max_size=200))
def test_noise_is_passed_over(data: bytes) -> None:
    parse_changes(data)


@given(st.integers(0, 63), st.binary(max_size=40))
def test_damaged_message_is_passed_over(cut: int, noise: bytes) -> None:
    parse_changes(link(7, VETH, ELSEWHERE)[:cut] + noise)
