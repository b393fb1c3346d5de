"""Records of the feature egress, whole, cut and shuffled."""

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.model import CgroupEvent, Direction, FlowEvent, FlowVerdict, PayloadEvent, Protocol
from pratique.sensor.egress import Egress, _address

FLOW = struct.pack("=QQII", 2_000_000_000, 77, 2, 4321) + struct.pack(
    "=QIHBBBB6x16s16s", 77, 5, 443, 6, 4, 0, 3, bytes([10, 0, 0, 9]), b"curl"
)
PAYLOAD = struct.pack("=QQII16sHBBI128s", 0, 77, 3, 0, b"\xfd" + bytes(14) + b"\2", 53, 17, 6, 5, b"query, and more")
CGROUP = struct.pack("=QQIIIIII64s", 0, 78, 1, 0, 1, 0, 0, 0, b"c" * 64)


def test_refused_flow() -> None:
    assert Egress().decode(FLOW, 100.0) == FlowEvent(
        at=102.0,
        cgroup=77,
        policy=5,
        direction=Direction.EGRESS,
        protocol=Protocol.TCP,
        address="10.0.0.9",
        port=443,
        verdict=FlowVerdict.DENIED,
        pid=4321,
        command="curl",
    )


def test_payload_has_the_length_that_the_kernel_gave() -> None:
    assert Egress().decode(PAYLOAD, 1.0) == PayloadEvent(
        at=1.0, cgroup=77, protocol=Protocol.UDP, address="fd00::2", port=53, payload=b"query"
    )


def test_payload_length_beyond_the_record_is_cut() -> None:
    broken = bytearray(PAYLOAD)
    struct.pack_into("=I", broken, 44, 0xFFFFFFFF)
    event = Egress().decode(bytes(broken), 0.0)
    assert isinstance(event, PayloadEvent)
    assert len(event.payload) == 128


def test_cgroup_that_was_made() -> None:
    assert Egress().decode(CGROUP, 0.5) == CgroupEvent(at=0.5, cgroup=78, container="c" * 64, created=True)


@pytest.mark.parametrize("record", [FLOW, PAYLOAD, CGROUP])
def test_record_that_is_cut_short_is_none(record: bytes) -> None:
    for length in range(len(record)):
        assert Egress().decode(record[:length], 0.0) is None


@given(st.sampled_from([FLOW, PAYLOAD, CGROUP]), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255))))
def test_any_bytes_are_an_event_or_none(record: bytes, changes: list[tuple[int, int]]) -> None:
    broken = bytearray(record)
    for place, value in changes:
        broken[place % len(broken)] = value
    event = Egress().decode(bytes(broken), 0.0)
    assert event is None or isinstance(event, FlowEvent | PayloadEvent | CgroupEvent)


@given(st.binary(max_size=300))
def test_noise_is_an_event_or_none(record: bytes) -> None:
    event = Egress().decode(record, 0.0)
    assert event is None or isinstance(event, FlowEvent | PayloadEvent | CgroupEvent)


@given(st.binary(min_size=16, max_size=16))
def test_addresses_are_spelt_as_ipaddress_does(raw: bytes) -> None:
    assert _address(4, raw) == str(ipaddress.IPv4Address(raw[:4]))
    assert _address(6, raw) == str(ipaddress.IPv6Address(raw))
    compatible = bytes(12) + raw[:4]
    assert _address(6, compatible) == str(ipaddress.IPv6Address(compatible))
