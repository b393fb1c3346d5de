"""Raw sockets, fragments, options and extension headers: packets that look like something else."""

import errno
from pathlib import Path

import pytest

from testbed.cell import FOE4, FOE6, FRIEND4, FRIEND6, IDS, Cell, Inmate
from tests.integration.sensor.ways import ACK, IPV4, IPV6, PING4, PING6, UDP, connect, datagram


@pytest.mark.parametrize(
    "code",
    [
        PING4.replace("to,", f"{FOE4!r},"),
        PING6.replace("to,", f"{FOE6!r},"),
        IPV4 + f"r.sendto(ipv4(17, {FOE4!r}, {UDP}), ({FOE4!r}, 0))",
        IPV4
        + f"r.sendto(ipv4(6, {FOE4!r}, struct.pack('>HHIIBBHHH', 1234, 8080, 1, 1, 80, 16, 100, 0, 0)), ({FOE4!r}, 0))",
        IPV4 + f"r.sendto(ipv4(47, {FOE4!r}, bytes(8)), ({FOE4!r}, 0))",
        IPV4 + f"r.sendto(ipv4(4, {FOE4!r}, bytes(20)), ({FOE4!r}, 0))",
        IPV4 + f"r.sendto(ipv4(132, {FOE4!r}, bytes(16)), ({FOE4!r}, 0))",
        ACK + f"r = socket.socket(socket.AF_INET, socket.SOCK_RAW, 6); r.sendto(ack, ({FOE4!r}, 0))",
        ACK + f"r = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 6); r.sendto(ack, ({FOE6!r}, 0))",
        f"r = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 41); r.sendto(bytes(40), ({FOE6!r}, 0))",
        f"r = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136); r.sendto(b'x', ({FOE4!r}, 8080))",
    ],
    ids=[
        "ping4",
        "ping6",
        "hdrincl udp",
        "hdrincl tcp ack",
        "gre",
        "ip in ip",
        "sctp",
        "raw tcp",
        "raw tcp6",
        "6in6",
        "udplite",
    ],
)
def test_raw_and_icmp_to_others_are_refused(cell: Cell, inmate: Inmate, code: str) -> None:
    outcome = inmate.try_to(code)
    assert outcome.get("errno") in {errno.EPERM, errno.EPROTONOSUPPORT}
    assert cell.frames() == []


@pytest.mark.parametrize(
    "packet",
    [
        f"ipv4(17, {FRIEND4!r}, b'evil' * 4, offset=3)",
        f"ipv4(17, {FRIEND4!r}, b'evil' * 4, offset=0x2003)",
        f"ipv4(17, {FRIEND4!r}, {UDP}, options=bytes([131, 7, 4, 10, 201, 0, 3, 0]))",
        f"ipv4(1, {FRIEND4!r}, bytes([8, 0, 0xf7, 0xff, 0, 0, 0, 0]))",
        f"ipv4(17, {FRIEND4!r}, b'')",
    ],
    ids=["last fragment", "middle fragment", "source route", "icmp", "no transport header"],
)
def test_packets_to_a_peer_with_one_port_allowed_do_not_bypass_the_port(
    cell: Cell, inmate: Inmate, packet: str
) -> None:
    assert inmate.try_to(IPV4 + f"r.sendto({packet}, ({FRIEND4!r}, 0))")["errno"] == errno.EPERM
    assert cell.frames() == []


def test_source_route_as_a_socket_option_is_refused(cell: Cell, inmate: Inmate) -> None:
    route = f"u.setsockopt(0, 4, bytes([1, 131, 7, 4]) + socket.inet_aton({FOE4!r}))"
    code = datagram(FRIEND4).replace("; u.sendto", f"; {route}; u.sendto")
    assert inmate.try_to(code)["errno"] == errno.EPERM
    assert cell.frames() == []


@pytest.mark.parametrize(
    "code",
    [
        f"r.sendto(ipv4(17, '127.0.0.11', {UDP}, options=bytes([1, 1, 1, 0])), ('127.0.0.11', 0))",
        f"q = socket.socket(2, 3, 17); q.setsockopt(0, 4, bytes([1, 1, 1, 0])); q.sendto({UDP}, ('127.0.0.11', 0))",
        f"r.sendto(ipv4(17, '127.0.0.11', {UDP}, offset=0x2000), ('127.0.0.11', 0))",
        "r.sendto(ipv4(132, '127.0.0.11', bytes(16)), ('127.0.0.11', 0))",
    ],
    ids=["options", "options of a socket", "fragment", "another protocol"],
)
def test_odd_packet_does_not_reach_the_engines_resolver(inmate: Inmate, code: str) -> None:
    assert inmate.try_to(IPV4 + code)["errno"] == errno.EPERM


@pytest.mark.parametrize(
    "packet",
    [
        f"ipv6(17, {FOE6!r}, udp)",
        f"ipv6(60, {FOE6!r}, bytes([17, 0]) + bytes(6) + udp)",
        f"ipv6(43, {FRIEND6!r}, bytes([17, 2, 0, 1]) + bytes(4) + socket.inet_pton(10, {FOE6!r}) + udp)",
        f"ipv6(44, {FRIEND6!r}, bytes([17, 0, 0, 8, 0, 0, 0, 1]) + udp)",
        f"ipv6(60, {FRIEND6!r}, (bytes([60, 0]) + bytes(6)) * 9 + bytes([17, 0]) + bytes(6) + udp)",
        f"ipv6(59, {FRIEND6!r}, b'evil')",
        f"ipv6(50, {FRIEND6!r}, b'evil' * 4)",
        f"ipv6(41, {FRIEND6!r}, bytes(40))",
    ],
    ids=["udp", "options", "routing", "fragment", "many options", "no next header", "esp", "6in6"],
)
def test_extension_headers_do_not_bypass_the_list(cell: Cell, inmate: Inmate, packet: str) -> None:
    assert inmate.try_to(IPV6 + f"r.sendto({packet}, ({FRIEND6!r}, 0))")["errno"] == errno.EPERM
    assert cell.frames() == []


def test_options_in_front_of_an_allowed_port_pass(cell: Cell, inmate: Inmate) -> None:
    options = "u.setsockopt(41, 59, bytes([0, 0, 1, 4, 0, 0, 0, 0]))"  # IPV6_DSTOPTS
    assert inmate.try_to(datagram(FRIEND6).replace("; u.sendto", f"; {options}; u.sendto")) == {"value": None}
    assert [frame.protocol for frame in cell.frames()] == [60]


def test_loopback_of_the_host_is_not_free_for_a_container_on_the_hosts_network(cell: Cell, inmate: Inmate) -> None:
    assert inmate.try_to("value = 1") == {"value": 1}
    guest = cell.inmate(IDS[1], net=Path("/proc/self/ns/net"))
    assert guest.try_to(connect("127.0.0.1"))["errno"] == errno.EPERM
    assert guest.try_to(connect("::1"))["errno"] == errno.EPERM
    assert guest.try_to(datagram("127.0.0.1"))["errno"] == errno.EPERM
    assert guest.try_to(IPV4 + f"r.sendto(ipv4(17, '127.0.0.1', {UDP}), ('127.0.0.1', 0))")["errno"] == errno.EPERM
