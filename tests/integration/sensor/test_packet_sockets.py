"""Packet sockets: what a sniffer at the other end of the bridge sees of a container that has one."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from docker.models.containers import Container

from pratique.model import EgressMode
from tests.integration.sensor.watched import Watched, network_of, result, wait_until

KILLED = 137
FRAME_TYPE = 0x88B5
FRAME = b"outlaw"
LAST = b"the end"


@pytest.fixture
def peer(watched: Watched) -> Container:
    container = watched.start()
    container.reload()
    return container


class Sniffer:
    """What arrives at a container's interface with the attacker's frame type."""

    def __init__(self, pid: int) -> None:
        with network_of(pid):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
            self._socket.bind(("eth0", FRAME_TYPE))
        self._socket.settimeout(10)

    def frames(self, bridge: int) -> list[bytes]:
        """Send a last frame from the engine's network, and return what came before it."""
        with network_of(bridge), socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as own:
            own.sendto(LAST, ("docker0", FRAME_TYPE, 0, 0, b"\xff" * 6))
        seen: list[bytes] = []
        while (frame := self._socket.recv(2048)) != LAST:
            seen.append(frame)
        return seen

    def close(self) -> None:
        self._socket.close()


@contextmanager
def sniffing(peer: Container) -> Iterator[Sniffer]:
    sniffer = Sniffer(peer.attrs["State"]["Pid"])
    try:
        yield sniffer
    finally:
        sniffer.close()


@pytest.mark.parametrize("act", ["packet", "packet-by-ring"])
def test_frames_reach_the_bridge_where_egress_is_learnt(
    watched: Watched, container: Container, peer: Container, act: str
) -> None:
    watched.enforce(egress=EgressMode.LEARN)
    with sniffing(peer) as sniffer:
        assert result(container, "/acts", act, "eth0") == 0
        assert sniffer.frames(watched.engine.network.pid) == [FRAME]
    assert {(event.family, event.killed) for event in watched.packet_sockets()} == {(socket.AF_PACKET, False)}


def test_packet_socket_is_never_had_where_egress_is_enforced(
    watched: Watched, container: Container, peer: Container
) -> None:
    watched.enforce(egress=EgressMode.ENFORCE)
    with sniffing(peer) as sniffer:
        assert result(container, "/acts", "packet", "eth0") == KILLED
        assert sniffer.frames(watched.engine.network.pid) == []
    events = watched.packet_sockets()
    assert [(event.family, event.killed, event.command) for event in events] == [(socket.AF_PACKET, True, "acts")]
    assert watched.sensor.container_of(events[0].cgroup) == container.id


def test_frames_of_a_socket_made_by_io_uring_end_at_the_host(
    watched: Watched, container: Container, peer: Container
) -> None:
    watched.enforce(egress=EgressMode.ENFORCE)
    with sniffing(peer) as sniffer:
        assert [result(container, "/acts", "packet-by-ring", "eth0") for _ in range(20)] == [0] * 20
        assert sniffer.frames(watched.engine.network.pid) == []
    assert {(event.family, event.killed) for event in watched.packet_sockets()} == {(socket.AF_PACKET, True)}


def test_first_frame_of_a_new_container_ends_at_the_host(watched: Watched, peer: Container) -> None:
    watched.enforce(egress=EgressMode.ENFORCE)

    def keep_reading() -> None:
        while not done:
            watched.sensor.read(100)
            watched.sensor.acknowledge()
            time.sleep(0.01)

    done: list[bool] = []
    with sniffing(peer) as sniffer, ThreadPoolExecutor() as pool:
        with network_of(watched.engine.network.pid):
            reader = pool.submit(keep_reading)
        for _ in range(5):
            watched.client.containers.run("test/acts:1", ["/acts", "packet-by-ring", "eth0"], remove=True)
        done.append(True)
        reader.result()
        assert sniffer.frames(watched.engine.network.pid) == []


def test_frame_of_a_pair_that_nobody_saw_come_ends_at_the_bridge(watched: Watched, container: Container) -> None:
    """As when the agent is dead and the engine starts a container once more."""
    watched.enforce(egress=EgressMode.ENFORCE)
    container.restart(timeout=0)
    assert result(container, "/acts", "packet-by-ring", "eth0") == 0
    assert [(event.family, event.killed) for event in watched.packet_sockets()] == [(socket.AF_PACKET, True)]


def test_ip_goes_through_a_guarded_pair(watched: Watched, container: Container, peer: Container) -> None:
    watched.enforce(egress=EgressMode.LEARN)
    address = peer.attrs["NetworkSettings"]["IPAddress"]
    assert result(container, "ping", "-c", "1", "-w", "5", address) == 0


@pytest.mark.parametrize("family", [30, 31, 40, 43, 44, 63])
def test_family_outside_ip_is_refused_by_death(watched: Watched, container: Container, family: int) -> None:
    watched.enforce(egress=EgressMode.ENFORCE)
    assert result(container, "/acts", "family", str(int(family))) == KILLED


def test_packet_socket_by_its_old_name_is_refused_by_death(watched: Watched, container: Container) -> None:
    sock_packet = 10
    watched.enforce(egress=EgressMode.ENFORCE)
    assert result(container, "/acts", "family", str(int(socket.AF_INET)), str(sock_packet)) == KILLED
    assert {event.family for event in watched.packet_sockets()} == {socket.AF_PACKET}


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET, socket.AF_INET6])
def test_everyday_family_is_had(watched: Watched, container: Container, family: int) -> None:
    watched.enforce(egress=EgressMode.ENFORCE)
    assert result(container, "/acts", "family", str(int(family))) == 0


def test_flood_of_requests_is_told_in_part_and_counted(watched: Watched, container: Container) -> None:
    watched.enforce(egress=EgressMode.LEARN)
    before = watched.sensor.losses().get("packet-socket/packet_socket", 0)
    script = "i=0; while [ $i -lt 300 ]; do /acts family 17; i=$((i+1)); done"
    result(container, "sh", "-c", script)
    told = len(watched.packet_sockets())
    lost = watched.sensor.losses()["packet-socket/packet_socket"] - before
    assert told + lost == 300
    assert lost > 0


def test_link_of_a_removed_container_is_let_go(watched: Watched) -> None:
    def links() -> int:
        watched.events()
        directory = watched.engine.pin_dir / "packet-link"
        return sum(1 for pin in directory.glob("*/link-frames-*"))

    container = watched.start()
    wait_until(lambda: links() >= 1, "a link to the new pair")
    there = links()
    container.remove(force=True)
    wait_until(lambda: links() == there - 1, "letting go")
