import struct

from testbed.servers import Event, frame


def ipv4(protocol: int, body: bytes) -> bytes:
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0, bytes(4), bytes(4))
    return header + body


def ipv6(next_header: int, body: bytes) -> bytes:
    return struct.pack(">IHBB16s16s", 6 << 28, len(body), next_header, 64, bytes(16), bytes(16)) + body


UDP = struct.pack(">HHHH", 40000, 53, 11, 0) + b"abc"


def counted(packet: bytes, protocol: str, version: int, port: int = 0) -> Event:
    return Event("frame", protocol=protocol, version=version, bytes=len(packet), port=port, text=packet[:60].hex())


def test_every_byte_of_a_packet_is_counted_with_its_header() -> None:
    assert frame(ipv4(17, UDP)) == counted(ipv4(17, UDP), "udp", 4, 53)
    assert frame(ipv6(17, UDP)) == counted(ipv6(17, UDP), "udp", 6, 53)


def test_unknown_protocols_are_counted_as_raw() -> None:
    assert frame(ipv4(253, b"stolen")) == counted(ipv4(253, b"stolen"), "raw", 4)


def test_kernels_finding_each_other_are_not_counted() -> None:
    neighbour_solicitation = b"\x87" + bytes(23)
    listener_report = b"\x3a\x00\x05\x02\x00\x00\x01\x00" + b"\x8f" + bytes(23)
    assert frame(ipv6(58, neighbour_solicitation)) is None
    assert frame(ipv6(0, listener_report)) is None


def test_ping_over_ipv6_is_counted() -> None:
    ping = ipv6(58, b"\x80" + bytes(7))
    assert frame(ping) == counted(ping, "icmp", 6)


def test_fence_is_not_traffic() -> None:
    fence = struct.pack(">HHHH", 40000, 9, 12, 0) + b"word"
    assert frame(ipv4(17, fence)) == Event("fence", text="word")


def test_arp_and_cut_packets_are_no_frames() -> None:
    assert frame(b"\x00\x01\x08\x00\x06\x04\x00\x01") is None
    assert frame(b"") is None
    assert frame(b"\x45") is None
