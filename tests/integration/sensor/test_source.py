"""Packets that claim to come from the attacker: whoever answers them, answers him."""

import errno

import pytest

from pratique.model import FlowEvent, FlowVerdict
from pratique.sensor import Sensor
from testbed.cell import FOE4, FOE6, FRIEND4, FRIEND6, HERE4, HERE6, PORT, Cell, Inmate, collect
from tests.integration.sensor.ways import family

CLOSED, LISTENING = 9999, 9998
PACKETS = f"""
import socket, struct
def checksum(octets):
    total = sum(struct.unpack(f">{{len(octets) // 2}}H", octets))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
def pack(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
def packet(protocol, source, to, body, at):
    ends = pack(source) + pack(to)
    pseudo = b"" if protocol == 1 else ends + struct.pack(">II", len(body), protocol)
    body = body[:at] + struct.pack(">H", checksum(pseudo + body)) + body[at + 2:]
    if ":" in to:
        return struct.pack(">IHBB", 0x60000000, len(body), protocol, 64) + ends + body
    return struct.pack(">BBHHHBBH", 69, 0, 0, 0, 0, 64, protocol, 0) + ends + body
def ping(source, to):
    kind, protocol = (128, 58) if ":" in to else (8, 1)
    return packet(protocol, source, to, bytes([kind, 0, 0, 0, 0, 1, 0, 1]) + b"secret", 2)
def udp(source, to, port):
    return packet(17, source, to, struct.pack(">HHHH", {PORT}, port, 14, 0) + b"secret", 6)
def tcp(source, to, port, flags):
    return packet(6, source, to, struct.pack(">HHIIBBHHH", {PORT}, port, 1, 0x73656372, 80, flags, 99, 0, 0), 16)
def send(octets, to):
    raw = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_RAW, 255)
    raw.setsockopt(*((41, 36, 1) if ":" in to else (0, 3, 1)))  # IPV6_HDRINCL, IP_HDRINCL
    raw.sendto(octets, (to, 0))
globals().update(scope)
"""
TRANSPARENT4, TRANSPARENT6, FREEBIND6 = (0, 19, 1), (41, 75, 1), (41, 78, 1)


@pytest.fixture
def forger(inmate: Inmate) -> Inmate:
    """An inmate who knows how to write packets."""
    inmate.try_to(PACKETS)
    return inmate


@pytest.mark.parametrize(("here", "foe"), [(HERE4, FOE4), (HERE6, FOE6), ("::1", FOE6)])
@pytest.mark.parametrize(
    "forged",
    [
        "ping(foe, here)",
        f"udp(foe, here, {CLOSED})",
        f"tcp(foe, here, {CLOSED}, 16)",
        f"tcp(foe, here, {LISTENING}, 2)",
    ],
    ids=["echo", "unreachable", "reset", "syn-ack"],
)
def test_kernel_of_the_container_is_not_made_to_answer_the_attacker(
    cell: Cell, enforcing: Sensor, forger: Inmate, here: str, foe: str, forged: str
) -> None:
    forger.try_to(f"here, foe = {here!r}, {foe!r}; l = socket.socket({family(here)}); l.bind((here, {LISTENING}))")
    assert forger.try_to(f"l.listen(); send({forged}, here)")["errno"] == errno.EPERM
    assert cell.frames() == []
    assert [(event.address, event.verdict) for event in collect(enforcing, FlowEvent)] == [(foe, FlowVerdict.DENIED)]


def test_answer_to_a_forged_packet_on_127_leaves_no_container(cell: Cell, forger: Inmate) -> None:
    for forged in ("ping", "udp"):
        arguments = f"{FOE4!r}, '127.0.0.1'" + (f", {CLOSED}" if forged == "udp" else "")
        forger.try_to(f"send({forged}({arguments}), '127.0.0.1')")
    assert cell.frames() == []


@pytest.mark.parametrize(
    ("option", "foe", "here", "friend"),
    [
        (TRANSPARENT4, FOE4, HERE4, FRIEND4),
        (TRANSPARENT6, FOE6, HERE6, FRIEND6),
        (FREEBIND6, FOE6, HERE6, FRIEND6),
    ],
    ids=["transparent", "transparent6", "freebind6"],
)
def test_socket_with_the_attackers_address_sends_nothing(
    cell: Cell, inmate: Inmate, option: tuple[int, int, int], foe: str, here: str, friend: str
) -> None:
    inmate.try_to(f"d = socket.socket({family(here)}, socket.SOCK_DGRAM); d.bind(({here!r}, 7000))")
    bind = f"u = socket.socket({family(here)}, socket.SOCK_DGRAM); u.setsockopt(*{option}); u.bind(({foe!r}, 0))"
    assert inmate.try_to(bind) == {"value": None}
    for peer in (f"({here!r}, 7000)", f"({friend!r}, {PORT})"):
        assert inmate.try_to(f"u.sendto(b'secret', {peer})")["errno"] == errno.EPERM
    connect = bind.replace("SOCK_DGRAM", "SOCK_STREAM") + f"; u.settimeout(0.5); u.connect(({friend!r}, {PORT}))"
    assert "errno" in inmate.try_to(connect)
    assert cell.frames() == []


@pytest.mark.parametrize(("friend", "foe"), [(FRIEND4, FOE4), (FRIEND6, FOE6)])
def test_allowed_peer_is_not_made_to_answer_the_attacker(cell: Cell, forger: Inmate, friend: str, foe: str) -> None:
    for forged in (f"udp({foe!r}, {friend!r}, {PORT})", f"tcp({foe!r}, {friend!r}, {PORT}, 2)"):
        assert forger.try_to(f"send({forged}, {friend!r})")["errno"] == errno.EPERM
    assert cell.frames() == []


def test_source_route_on_loopback_leads_nowhere(cell: Cell, forger: Inmate) -> None:
    for path in ("ip_forward", "conf/all/accept_source_route", "conf/lo/accept_source_route"):
        cell.inside.run("sh", "-c", f"echo 1 > /proc/sys/net/ipv4/{path}")
    route = f"bytes([1, 131, 7, 4]) + pack({FOE4!r})"
    for source in ("192.0.2.1", FRIEND4):
        octets = f"struct.pack('>BBHHHBBH', 71, 0, 0, 0, 0, 64, 17, 0) + pack({source!r}) + pack('127.0.0.1') + {route}"
        sent = forger.try_to(f"send({octets} + struct.pack('>HHHH', {PORT}, {PORT}, 14, 0) + b'secret', '127.0.0.1')")
        assert sent["errno"] == errno.EPERM
    assert cell.frames() == []
