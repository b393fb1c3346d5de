"""Every way out of a container, asserted on the other side: what arrived there."""

import errno
import socket

import pytest

from pratique.model import Direction, EgressMode, FlowEvent, FlowVerdict, Protocol
from pratique.sensor import Sensor
from testbed.cell import FOE4, FOE6, FRIEND4, FRIEND6, HERE4, HERE6, IDS, PORT, Cell, Inmate, collect, policy
from tests.integration.sensor.ways import IPV4, PING4, UDP, URING_CONNECT, connect, datagram, family

FRIENDS = pytest.mark.parametrize("friend", [FRIEND4, FRIEND6, f"::ffff:{FRIEND4}"])
FOES = pytest.mark.parametrize("foe", [FOE4, FOE6, f"::ffff:{FOE4}"])


@FRIENDS
def test_allowed_tcp_arrives(cell: Cell, inmate: Inmate, friend: str) -> None:
    server = cell.server(friend.removeprefix("::ffff:"))
    cell.frames()
    assert inmate.try_to(connect(friend) + "; s.sendall(b'hello')") == {"value": None}
    assert {(frame.protocol, frame.port) for frame in cell.frames()} == {(6, PORT)}
    assert cell.accept(server).recv(100) == b"hello"


@FOES
@pytest.mark.parametrize("port", [PORT, 443])
def test_other_tcp_is_refused_at_once_and_nothing_arrives(cell: Cell, inmate: Inmate, foe: str, port: int) -> None:
    assert inmate.try_to(connect(foe, port)) == {"errno": errno.EPERM, "kind": "PermissionError"}
    assert cell.frames() == []


def test_other_port_of_an_allowed_peer_is_refused(cell: Cell, inmate: Inmate) -> None:
    assert inmate.try_to(connect(FRIEND4, 443))["errno"] == errno.EPERM
    assert inmate.try_to(datagram(FRIEND6, 443))["errno"] == errno.EPERM
    assert cell.frames() == []


@FRIENDS
def test_allowed_udp_arrives_and_its_answer_too(cell: Cell, inmate: Inmate, friend: str) -> None:
    receiver = cell.receiver(friend.removeprefix("::ffff:"))
    inmate.try_to(datagram(friend))
    data, sender = receiver.recvfrom(100)
    receiver.sendto(b"answer", sender)
    assert data == b"x"
    assert inmate.try_to("u.settimeout(5); value = u.recv(100).decode()") == {"value": "answer"}


@FOES
@pytest.mark.parametrize(
    "code",
    [
        "u.sendto(b'x', (foe, 8080))",
        "u.connect((foe, 8080)); u.send(b'x')",
        "u.sendmsg([b'x'], [], 0, (foe, 8080))",
        "u.sendto(b'x', 0x8000, (foe, 8080)); u.send(b'y')",
        "u.connect((friend, 8080)); u.sendto(b'x', (foe, 8080))",
    ],
    ids=["sendto", "connect", "sendmsg", "more", "connected elsewhere"],
)
def test_other_udp_is_refused_and_nothing_arrives(cell: Cell, inmate: Inmate, foe: str, code: str) -> None:
    friend = FRIEND6 if ":" in foe and "." not in foe else f"::ffff:{FRIEND4}" if "." in foe and ":" in foe else FRIEND4
    inmate.try_to(f"foe, friend = {foe!r}, {friend!r}; u = socket.socket({family(foe)}, socket.SOCK_DGRAM)")
    assert inmate.try_to(code)["errno"] == errno.EPERM
    assert cell.frames() == []


@FOES
def test_tcp_fast_open_is_refused(cell: Cell, inmate: Inmate, foe: str) -> None:
    code = f"s = socket.socket({family(foe)}); s.sendto(b'x', socket.MSG_FASTOPEN, ({foe!r}, 8080))"
    assert inmate.try_to(code)["errno"] == errno.EPERM
    assert cell.frames() == []


def test_multipath_tcp_is_refused(cell: Cell, inmate: Inmate) -> None:
    code = f"s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); s.connect(({FOE4!r}, 8080))"
    assert "errno" in inmate.try_to(code)
    assert cell.frames() == []


def test_io_uring_connect_is_refused(cell: Cell, inmate: Inmate) -> None:
    outcome = inmate.try_to(URING_CONNECT)
    assert outcome == {"value": -errno.EPERM}
    assert cell.frames() == []


def test_large_allowed_datagram_is_fragmented_after_the_wall(cell: Cell, inmate: Inmate) -> None:
    for friend in (FRIEND4, FRIEND6):
        receiver = cell.receiver(friend)
        sent = inmate.try_to(datagram(friend).replace("b'x'", "bytes(9000)"))
        assert sent == {"value": None}
        assert len(receiver.recv(10000)) == 9000


@pytest.mark.parametrize("here", [HERE4, HERE6])
def test_server_in_the_container_answers_tcp(cell: Cell, inmate: Inmate, here: str) -> None:
    inmate.try_to(
        f"l = socket.socket({family(here)}); l.setsockopt(1, 2, 1); l.bind(({here!r}, 7000)); l.listen()\n"
        "l.settimeout(5)"
    )
    client = cell.outside_socket(socket.AF_INET6 if ":" in here else socket.AF_INET, socket.SOCK_STREAM)
    client.settimeout(5)
    inmate.begin("c, _ = l.accept(); value = c.recv(10).decode(); l.close(); c.sendall(b'answer')")
    client.connect((here, 7000))
    client.sendall(b"question")
    assert inmate.finish() == {"value": "question"}
    assert client.recv(10) == b"answer"


@pytest.mark.parametrize("here", [HERE4, HERE6])
def test_server_in_the_container_answers_udp_but_starts_nothing(cell: Cell, inmate: Inmate, here: str) -> None:
    inmate.try_to(f"l = socket.socket({family(here)}, socket.SOCK_DGRAM); l.bind(({here!r}, 7000)); l.settimeout(5)")
    client = cell.receiver(FOE6 if ":" in here else FOE4, 5000)
    client.sendto(b"question", (here, 7000))
    assert inmate.try_to("d, a = l.recvfrom(100); l.sendto(b'answer', a); value = d.decode()") == {"value": "question"}
    assert client.recv(100) == b"answer"
    cell.frames()
    assert inmate.try_to("l.sendto(b'evil', (a[0], 5001))")["errno"] == errno.EPERM
    assert inmate.try_to("u = socket.socket(l.family, socket.SOCK_DGRAM); u.sendto(b'evil', a)")["errno"] == errno.EPERM
    assert cell.frames() == []


def test_container_cannot_forge_a_caller_by_sending_to_itself(cell: Cell, inmate: Inmate) -> None:
    inmate.try_to("l = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); l.bind(('0.0.0.0', 7000)); l.settimeout(1)")
    forged = f"ipv4(17, {HERE4!r}, struct.pack('>HHHH', 5000, 7000, 9, 0) + b'x', source={FOE4!r})"
    inmate.try_to(IPV4 + f"r.sendto({forged}, ({HERE4!r}, 0))")
    assert inmate.try_to(f"l.sendto(b'evil', ({FOE4!r}, 5000))")["errno"] == errno.EPERM
    assert cell.frames() == []


def test_loopback_is_free_but_the_engines_resolver_is_not(inmate: Inmate) -> None:
    for address in ("127.0.0.1", "::1", "127.1.2.3"):
        code = (
            f"l = socket.socket({family(address)}); l.bind(({address!r}, 0)); l.listen(); "
            f"s = socket.socket({family(address)}); s.settimeout(5); s.connect(l.getsockname()[:2]); "
            "c, _ = l.accept(); s.sendall(b'x'); value = c.recv(1).decode()"
        )
        assert inmate.try_to(code) == {"value": "x"}
    assert inmate.try_to(connect("127.0.0.11", 53))["errno"] == errno.EPERM
    assert inmate.try_to(datagram("127.0.0.11", 53))["errno"] == errno.EPERM
    assert inmate.try_to(IPV4 + f"r.sendto(ipv4(17, '127.0.0.11', {UDP}), ('127.0.0.11', 0))")["errno"] == errno.EPERM


@pytest.mark.parametrize("here", [HERE4, HERE6, f"::ffff:{HERE4}"])
def test_container_reaches_itself_by_its_own_address(cell: Cell, enforcing: Sensor, inmate: Inmate, here: str) -> None:
    any_ = "::" if ":" in here else "0.0.0.0"
    inmate.try_to(f"l = socket.socket({family(here)}); l.setsockopt(1, 2, 1); l.bind(({any_!r}, 7000)); l.listen()")
    assert inmate.try_to(f"{connect(here, 7000)}; value = l.accept()[1][0]") == {"value": here}
    receive = f"d = socket.socket({family(here)}, socket.SOCK_DGRAM); d.bind(({any_!r}, 7000)); d.settimeout(5)"
    assert inmate.try_to(f"{receive}; {datagram(here, 7000)}; value = d.recv(10).decode()") == {"value": "x"}
    assert cell.frames() == []
    assert collect(enforcing, FlowEvent) == []


def test_pretended_own_address_is_no_way_out(cell: Cell, inmate: Inmate) -> None:
    for option in ("s.setsockopt(0, 15, 1)", "s.setsockopt(0, 19, 1)"):  # IP_FREEBIND, IP_TRANSPARENT
        code = connect(FOE4).replace("s.settimeout(5)", f"s.settimeout(1); {option}")
        assert "errno" in inmate.try_to(code)
        assert "errno" in inmate.try_to(
            code.replace("socket.AF_INET)", "socket.AF_INET, socket.SOCK_DGRAM)") + "; s.send(b'x')"
        )
    assert cell.frames() == []


def test_neighbour_discovery_works_and_carries_nothing(cell: Cell, inmate: Inmate) -> None:
    server = cell.server(FRIEND6)
    cell.inside.run("ip", "-6", "neigh", "flush", "dev", "eth0")
    assert inmate.try_to(connect(FRIEND6)) == {"value": None}
    cell.accept(server)
    cell.frames()
    for kind in (133, 135, 136, 143):
        code = (
            "r = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58);"
            "r.setsockopt(41, 16, 255); r.setsockopt(41, 18, 255);"
            f"r.sendto(bytes([{kind}, 0, 0, 0]) + b'evil' * 5, ('ff02::1%eth0', 0))"
        )
        assert inmate.try_to(code)["errno"] == errno.EPERM
        assert inmate.try_to(code.replace("ff02::1%eth0", FOE6))["errno"] == errno.EPERM


def test_datagrams_from_the_dns_port_are_refused(cell: Cell, inmate: Inmate) -> None:
    code = (
        "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.setsockopt(1, 2, 1); u.bind(('0.0.0.0', 53)); "
        f"u.sendto(b'x', ({FRIEND4!r}, 8080))"
    )
    assert inmate.try_to(code)["errno"] == errno.EPERM
    assert cell.frames() == []


def test_flows_are_added_up_and_new_ones_told_once(cell: Cell, enforcing: Sensor, inmate: Inmate) -> None:
    receiver = cell.receiver(FRIEND4)
    for _ in range(10):
        inmate.try_to(datagram(FRIEND4))
        receiver.recv(10)
    for _ in range(5):
        inmate.try_to(connect(FOE6, 443))
    told = collect(enforcing, FlowEvent)
    assert [(e.address, e.port, e.protocol, e.verdict) for e in told] == [
        (FRIEND4, PORT, Protocol.UDP, FlowVerdict.ALLOWED),
        (FOE6, 443, Protocol.TCP, FlowVerdict.DENIED),
    ]
    assert {e.pid for e in told} == {inmate.pid}
    assert {enforcing.container_of(e.cgroup) for e in told} == {IDS[0]}
    counted = {(f.address, f.verdict): f for f in enforcing.flows() if f.cgroup == told[0].cgroup}
    assert counted[FRIEND4, FlowVerdict.ALLOWED].packets == 10
    assert counted[FRIEND4, FlowVerdict.ALLOWED].bytes == 290
    assert counted[FOE6, FlowVerdict.DENIED].packets == 5
    assert counted[FOE6, FlowVerdict.DENIED].direction is Direction.EGRESS
    latest = counted[FOE6, FlowVerdict.DENIED].last_seen
    assert {f.address for f in enforcing.flows(since=latest - 1e-4) if f.cgroup == told[0].cgroup} == {FOE6}


def test_allowed_connection_is_told_with_its_program(cell: Cell, enforcing: Sensor, inmate: Inmate) -> None:
    server = cell.server(FRIEND6)
    inmate.try_to(connect(FRIEND6) + "; s.sendall(b'x' * 1000)")
    cell.accept(server)
    (event,) = collect(enforcing, FlowEvent)
    assert (event.address, event.port, event.protocol) == (FRIEND6, PORT, Protocol.TCP)
    assert (event.verdict, event.pid) == (FlowVerdict.ALLOWED, inmate.pid)
    assert event.command.startswith("python")


@pytest.mark.parametrize(
    ("mode", "verdict"), [(EgressMode.LEARN, FlowVerdict.LEARNT), (EgressMode.MONITOR, FlowVerdict.REPORTED)]
)
def test_modes_that_let_through_say_so(cell: Cell, enforcing: Sensor, mode: EgressMode, verdict: FlowVerdict) -> None:
    enforcing.apply([policy(0, mode=mode)], {})
    server, receiver = cell.server(FOE4), cell.receiver(FOE6)
    inmate = cell.inmate(IDS[1])
    assert inmate.try_to(connect(FOE4) + "; s.sendall(b'x')") == {"value": None}
    assert inmate.try_to(datagram(FOE6)) == {"value": None}
    assert inmate.try_to(PING4.replace("to,", f"{FOE4!r},")) == {"value": None}
    assert cell.accept(server).recv(1) == b"x"
    receiver.recv(1)
    assert {(e.address, e.protocol, e.verdict) for e in collect(enforcing, FlowEvent)} == {
        (FOE4, Protocol.TCP, verdict),
        (FOE6, Protocol.UDP, verdict),
        (FOE4, Protocol.ICMP, verdict),
    }
