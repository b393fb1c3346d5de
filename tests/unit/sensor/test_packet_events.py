import struct

from hypothesis import given
from hypothesis import strategies as st

from pratique.model import PacketSocketEvent
from pratique.sensor.packet import decode_packet_socket

RECORD = struct.Struct("=QQIIII16s")


def test_request_for_a_packet_socket_is_told() -> None:
    data = RECORD.pack(2_000_000_000, 5, 17, 9, 17, 1, b"tcpdump")
    assert decode_packet_socket(data, 10.0) == PacketSocketEvent(
        at=12.0, cgroup=5, pid=9, family=17, command="tcpdump", killed=True
    )


@given(st.binary(max_size=RECORD.size - 1))
def test_truncated_record_is_no_request(data: bytes) -> None:
    assert decode_packet_socket(data, 0) is None


@given(st.binary(min_size=RECORD.size, max_size=RECORD.size + 8))
def test_hostile_record_gives_an_event_or_nothing(data: bytes) -> None:
    event = decode_packet_socket(data, 0)
    assert event is None or len(event.command.encode()) <= 64
