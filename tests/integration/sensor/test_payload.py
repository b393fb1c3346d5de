"""What the kernel hands over of how conversations begin, and what it says about what it could not hand over."""

from collections.abc import Iterator

import pytest

from pratique.model import EgressMode, FlowEvent, LossEvent, PayloadEvent, Protocol
from pratique.sensor import Sensor
from testbed.cell import FRIEND4, FRIEND6, IDS, PORT, Cell, collect, policy

LOGIN = '{"id":1,"method":"mining.subscribe","params":["miner/1.0"]}\\n'
QUESTION = bytes.fromhex("0100000100000000000004706f6f6c04746573740000010001")


@pytest.fixture(scope="module")
def running(stage: Cell) -> Iterator[Sensor]:
    sensor = stage.sensor([policy(0, mode=EgressMode.MONITOR)])
    yield sensor
    sensor.close(keep=False)


@pytest.fixture
def sensor(running: Sensor) -> Sensor:
    collect(running, PayloadEvent)
    return running


@pytest.mark.parametrize("friend", [FRIEND4, FRIEND6])
def test_json_at_the_beginning_of_a_connection_is_told_once(cell: Cell, sensor: Sensor, friend: str) -> None:
    server, inmate = cell.server(friend, 3333), cell.inmate(IDS[0])
    inmate.try_to(f"s = socket.create_connection(({friend!r}, 3333)); s.sendall(b'{LOGIN}'); s.sendall(b'{LOGIN}')")
    cell.accept(server).recv(1000)
    (event,) = collect(sensor, PayloadEvent)
    assert event.payload == LOGIN.encode().decode("unicode_escape").encode()
    assert (event.protocol, event.address, event.port) == (Protocol.TCP, friend, 3333)
    assert sensor.container_of(event.cgroup) == IDS[0]


@pytest.mark.parametrize("length", [1, 2, 127, 128, 129, 5000])
def test_payload_is_cut_at_its_bound(cell: Cell, sensor: Sensor, length: int) -> None:
    server, inmate = cell.server(FRIEND4), cell.inmate(IDS[0])
    inmate.try_to(f"s = socket.create_connection(({FRIEND4!r}, {PORT})); s.sendall(b'{{' * {length})")
    cell.accept(server)
    assert [event.payload for event in collect(sensor, PayloadEvent)] == [b"{" * min(length, 128)]


def test_other_conversations_are_not_told(cell: Cell, sensor: Sensor) -> None:
    server, inmate = cell.server(FRIEND4), cell.inmate(IDS[0])
    inmate.try_to(f"s = socket.create_connection(({FRIEND4!r}, {PORT})); s.sendall(b'GET /'); s.sendall(b'{{')")
    cell.accept(server)
    inmate.try_to(f"u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.sendto(b'{{', ({FRIEND4!r}, {PORT}))")
    assert collect(sensor, PayloadEvent) == []


def test_dns_question_is_told_once_whatever_its_id(cell: Cell, sensor: Sensor) -> None:
    inmate = cell.inmate(IDS[0])
    inmate.try_to(
        f"u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"for number in range(20): u.sendto(bytes([number, 7]) + {QUESTION!r}, ({FRIEND4!r}, 53))"
    )
    (event,) = collect(sensor, PayloadEvent)
    assert event.payload[2:] == QUESTION
    assert (event.protocol, event.port) == (Protocol.UDP, 53)


def test_flood_of_questions_is_bounded_and_the_rest_counted(cell: Cell, sensor: Sensor) -> None:
    inmate = cell.inmate(IDS[0])
    inmate.try_to(
        f"u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"for number in range(2000): u.sendto(bytes(2) + number.to_bytes(2, 'big') + {QUESTION!r}, ({FRIEND4!r}, 53))"
    )
    told = len(collect(sensor, PayloadEvent))
    assert 64 <= told < 2000
    assert sensor.losses()["egress/payload"] == 2000 - told


def test_full_buffer_is_told_as_a_loss(cell: Cell, sensor: Sensor) -> None:
    inmate = cell.inmate(IDS[1])
    inmate.try_to(
        "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"for number in range(60000): u.sendto(b'x', ({FRIEND4!r}, number + 1000))"
    )
    before = sensor.losses().get("egress/flow", 0)
    events = sensor.read(100_000)
    kept = sum(isinstance(event, FlowEvent) for event in events)
    assert kept + before == 60000
    assert before > 0
    assert (
        sum(event.count for event in events if isinstance(event, LossEvent) and event.source == "egress/flow") == before
    )
    sensor.acknowledge()
