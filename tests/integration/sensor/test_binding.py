"""Which list holds for which cgroup, from the first instant, through restarts of the agent and changes of policy."""

import errno
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pratique.errors import KernelError, UsageError
from pratique.model import CgroupEvent, EgressMode, FlowVerdict, Protocol
from pratique.sensor import Parent, ParentKind, Sensor
from pratique.sensor.egress import Egress
from testbed.cell import (
    FOE4,
    FRIEND4,
    FRIEND6,
    HERE4,
    IDS,
    PORT,
    Cell,
    Inmate,
    collect,
    policy,
)

NOTHING = policy(0)
FRIENDLY = policy(1, (f"{FRIEND4}/32", None, 0), (f"{FRIEND6}/128", None, 0))
SEND = f"u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.sendto(b'x', ({FRIEND4!r}, {PORT}))"
CONNECT = f"s = socket.socket(); s.settimeout(5); s.connect(({FRIEND4!r}, {PORT}))"


@pytest.fixture
def sensor(cell: Cell) -> Iterator[Sensor]:
    sensor = cell.sensor([NOTHING, FRIENDLY])
    yield sensor
    sensor.close(keep=False)


def may_send(inmate: Inmate) -> bool:
    outcome = inmate.try_to(SEND)
    assert outcome in ({"value": None}, {"errno": errno.EPERM, "kind": "PermissionError"})
    return "value" in outcome


def test_ticket_holds_from_the_first_instant(cell: Cell, sensor: Sensor) -> None:
    sensor.bind(IDS[0], 1)
    assert may_send(cell.inmate(IDS[0]))


def test_ticket_holds_for_every_restart_of_the_container(cell: Cell, sensor: Sensor) -> None:
    sensor.bind(IDS[0], 1)
    for _ in range(3):
        assert may_send(cell.inmate(IDS[0]))
        cell.tidy()


def test_fifty_containers_at_once_send_nothing_out_of_policy(cell: Cell, sensor: Sensor) -> None:
    ids = [f"{number:064x}" for number in range(50)]
    for name in ids[::2]:
        sensor.bind(name, 1)
    cell.frames()
    started = [cell.inmate(name) for name in ids]
    for number, inmate in enumerate(started):
        inmate.begin(
            f"u, port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), {1000 + number}\n"
            f"for to in ({FOE4!r}, {FRIEND4!r}):\n"
            "    try: u.sendto(b'x', (to, port))\n"
            "    except PermissionError: pass"
        )
    for inmate in started:
        inmate.finish()
    arrived = {(frame.destination, frame.port) for frame in cell.frames()}
    assert arrived == {(FRIEND4, 1000 + number) for number in range(0, 50, 2)}


@pytest.mark.parametrize("name", [IDS[1], "anything", "docker-short.scope"])
def test_child_without_a_ticket_is_under_the_default(cell: Cell, sensor: Sensor, name: str) -> None:
    sensor.bind(IDS[0], 1)
    cell.frames()
    assert not may_send(cell.inmate(name))
    assert cell.frames() == []


def test_default_holds_even_for_a_child_that_nobody_bound(cell: Cell, sensor: Sensor) -> None:
    inmate = cell.inmate(IDS[1])
    bindings = sensor._live["egress"].maps["pq_bindings"]
    assert bindings.delete((cell.parent / IDS[1]).stat().st_ino.to_bytes(8, "little"))
    assert not may_send(inmate)


def test_cgroups_below_a_container_are_under_its_list(cell: Cell, sensor: Sensor) -> None:
    sensor.bind(IDS[0], 1)
    assert may_send(cell.inmate(f"{IDS[0]}/below"))
    assert may_send(cell.inmate(f"{IDS[0]}/below/deep/deeper"))


def test_container_cannot_claim_a_ticket_by_naming_a_cgroup_below_its_own(cell: Cell, sensor: Sensor) -> None:
    sensor.bind(IDS[0], 1)
    assert not may_send(cell.inmate(f"{IDS[1]}/{IDS[0]}"))
    assert not may_send(cell.inmate(f"{IDS[1]}/docker-{IDS[0]}.scope"))
    assert not may_send(cell.inmate(f"{IDS[1]}/buildkit/{IDS[0]}"))


def test_binding_changes_under_a_running_container(cell: Cell, sensor: Sensor) -> None:
    inmate = cell.inmate(IDS[0])
    assert not may_send(inmate)
    sensor.bind(IDS[0], 1)
    assert may_send(inmate)
    sensor.unbind(IDS[0])
    assert not may_send(inmate)


def test_container_from_before_the_agent_is_bound_when_it_starts(cell: Cell) -> None:
    listed, unlisted = cell.inmate(IDS[0]), cell.inmate(IDS[1])
    sensor = cell.sensor([NOTHING, FRIENDLY], {IDS[0]: 1})
    assert may_send(listed)
    assert not may_send(unlisted)
    assert sensor.container_of((cell.parent / IDS[0]).stat().st_ino) == IDS[0]
    sensor.close(keep=False)


def test_build_steps_are_told_apart_and_under_the_default(cell: Cell, sensor: Sensor) -> None:
    sensor.apply([policy(0, mode=EgressMode.MONITOR)], {})
    inmate = cell.inmate("buildkit/q1w2e3r4t5y6u7i8o9p0a1s2d")
    assert may_send(inmate)
    told = collect(sensor, CgroupEvent)
    assert [event.container for event in told] == ["buildkit", "buildkit/q1w2e3r4t5y6u7i8o9p0a1s2d"]
    counter = next(flow for flow in sensor.flows() if flow.cgroup == told[1].cgroup)
    assert counter.verdict is FlowVerdict.REPORTED
    assert sensor.container_of(counter.cgroup) == "buildkit/q1w2e3r4t5y6u7i8o9p0a1s2d"


def test_cgroups_that_come_and_go_are_told(cell: Cell, sensor: Sensor) -> None:
    path = cell.cgroup(IDS[2])
    number = path.stat().st_ino
    path.rmdir()
    told = [(event.cgroup, event.container, event.created) for event in collect(sensor, CgroupEvent)]
    assert told == [(number, IDS[2], True), (number, IDS[2], False)]
    assert sensor.container_of(number) == IDS[2]


def test_names_of_the_systemd_driver_are_bound_and_other_services_left_alone(cell: Cell) -> None:
    sensor = cell.sensor([NOTHING, FRIENDLY], {IDS[0]: 1}, kind=ParentKind.NAMED)
    assert may_send(cell.inmate("nginx.service"))
    assert may_send(cell.inmate(f"docker-{IDS[0]}.scope"))
    assert not may_send(cell.inmate(f"docker-{IDS[1]}.scope"))
    assert not may_send(cell.inmate(f"docker-{IDS[2]}.scope/init.scope"))
    assert not may_send(cell.inmate("system.slice:docker:q1w2e3r4t5y6u7i8o9p0a1s2d"))
    assert not may_send(cell.inmate("moby-buildkit-q1w2e3"))
    assert may_send(cell.inmate(f"x-docker-{IDS[0]}.scope"))
    names = {event.container for event in collect(sensor, CgroupEvent)}
    assert {IDS[0], IDS[1], IDS[2], "buildkit/q1w2e3r4t5y6u7i8o9p0a1s2d"} <= names
    sensor.close(keep=False)


def test_names_of_the_systemd_driver_from_before_the_agent(cell: Cell) -> None:
    listed = cell.inmate(f"docker-{IDS[0]}.scope")
    unlisted = cell.inmate(f"docker-{IDS[1]}.scope")
    service = cell.inmate("nginx.service")
    sensor = cell.sensor([NOTHING, FRIENDLY], {IDS[0]: 1}, kind=ParentKind.NAMED)
    assert (may_send(listed), may_send(unlisted), may_send(service)) == (True, False, True)
    sensor.close(keep=False)


def test_parent_below_a_parent_counts_a_packet_once(cell: Cell) -> None:
    slice_ = cell.cgroup("system.slice")
    parents = [Parent(cell.parent, ParentKind.NAMED), Parent(slice_, ParentKind.NAMED)]
    sensor = Sensor.open(parents, cell.pins, [NOTHING, FRIENDLY], {IDS[0]: 1}, features=[Egress])
    assert may_send(cell.inmate(f"system.slice/docker-{IDS[0]}.scope"))
    assert not may_send(cell.inmate("system.slice:docker:q1w2e3"))
    assert [flow.packets for flow in sensor.flows()] == [1, 1]
    sensor.close(keep=False)


def test_established_connection_stops_when_the_list_no_longer_has_it(cell: Cell, sensor: Sensor) -> None:
    sensor.bind(IDS[0], 1)
    inmate, server = cell.inmate(IDS[0]), cell.server(FRIEND4)
    inmate.try_to(CONNECT)
    connection = cell.accept(server)
    assert inmate.try_to("s.sendall(b'before')") == {"value": None}
    assert connection.recv(10) == b"before"
    cell.frames()
    sensor.apply([NOTHING, policy(1, (f"{FOE4}/32", None, 0))], {IDS[0]: 1})
    inmate.try_to("s.sendall(b'after')")
    assert cell.frames() == []
    sensor.apply([NOTHING, FRIENDLY], {IDS[0]: 1})
    assert connection.recv(10) == b"after"


def test_refused_connection_that_outlives_its_cgroup_stays_refused(cell: Cell) -> None:
    sensor = cell.sensor([NOTHING, FRIENDLY], {IDS[0]: 1}, kind=ParentKind.NAMED)
    inmate, server = cell.inmate(f"docker-{IDS[0]}.scope"), cell.server(FRIEND4)
    inmate.try_to(CONNECT)
    cell.accept(server)
    sensor.unbind(IDS[0])
    inmate.try_to("s.sendall(b'evil')")
    cell.frames()
    inmate.close()
    (cell.parent / f"docker-{IDS[0]}.scope").rmdir()
    time.sleep(1)  # the kernel tries again within this time
    assert cell.frames() == []
    sensor.close(keep=False)


def test_connected_udp_socket_stops_when_the_list_no_longer_has_its_peer(cell: Cell, sensor: Sensor) -> None:
    sensor.bind(IDS[0], 1)
    inmate, receiver = cell.inmate(IDS[0]), cell.receiver(FRIEND6)
    connected = f"u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); u.connect(({FRIEND6!r}, {PORT})); u.send(b'x')"
    assert inmate.try_to(connected) == {"value": None}
    receiver.recv(10)
    sensor.apply([NOTHING], {})
    assert inmate.try_to("u.send(b'x')")["errno"] == errno.EPERM


def test_swap_of_policy_has_no_instant_without_the_honest_peer(cell: Cell, sensor: Sensor) -> None:
    sensor.bind(IDS[0], 1)
    inmate = cell.inmate(IDS[0])
    inmate.begin(
        f"u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); value = 0\n"
        f"for _ in range(30000): value += u.sendto(b'x', ({FRIEND4!r}, {PORT}))"
    )
    for number in range(20):
        sensor.apply([NOTHING, policy(1, *friend_and(number))], {IDS[0]: 1})
    assert inmate.finish() == {"value": 30000}


def friend_and(number: int) -> list[tuple[str, Protocol | None, int]]:
    return [(f"{FRIEND4}/32", None, 0), *((f"10.0.{number}.{last}/32", Protocol.TCP, 443) for last in range(200))]


def test_old_slots_leave_nothing_behind(cell: Cell, sensor: Sensor) -> None:
    del cell
    for number in range(5):
        sensor.apply([NOTHING, policy(1, *friend_and(number))], {IDS[0]: 1})
    live = sensor._live["egress"]
    assert len(live.maps["pq_rules"].items()) == 201
    assert len(live.maps["pq_slots"].items()) == 2


def test_connections_from_before_the_agent(cell: Cell) -> None:
    serving, calling = cell.inmate(IDS[0]), cell.inmate(IDS[1])
    serving.try_to(f"l = socket.create_server(({HERE4!r}, 7000)); l.settimeout(5)")
    client = cell.outside_socket(2, 1)
    client.connect((HERE4, 7000))
    serving.try_to("c, _ = l.accept()")
    server = cell.server(FRIEND4)
    calling.try_to(CONNECT)
    connection = cell.accept(server)
    sensor = cell.sensor([NOTHING])
    serving.try_to("c.sendall(b'answer')")
    assert client.recv(10) == b"answer"
    cell.frames()
    calling.try_to("s.sendall(b'evil')")
    assert cell.frames() == []
    sensor.close(keep=False)
    assert connection.recv(10) == b"evil"


def test_close_lifts_everything(cell: Cell) -> None:
    sensor = cell.sensor([NOTHING])
    inmate = cell.inmate(IDS[0])
    assert not may_send(inmate)
    sensor.close(keep=False)
    assert may_send(inmate)
    assert not cell.pins.exists()


AGENT = """
import sys, time
from pathlib import Path
from pratique.sensor import Parent, ParentKind, Sensor
from pratique.sensor.egress import Egress
from testbed.cell import policy, FRIEND4
parent, pins, container = sys.argv[1:]
policies = [policy(0), policy(1, (f"{FRIEND4}/32", None, 0))]
sensor = Sensor.open([Parent(Path(parent), ParentKind.ALL)], Path(pins), policies, {container: 1}, features=[Egress])
print("ready", flush=True)
time.sleep(3600)
"""


@pytest.mark.parametrize("same_build", [True, False])
def test_killed_agent_leaves_no_gap_and_the_next_one_adopts(cell: Cell, *, same_build: bool) -> None:
    arguments = [str(cell.parent), str(cell.pins), IDS[0]]
    with subprocess.Popen([sys.executable, "-c", AGENT, *arguments], stdout=subprocess.PIPE) as agent:
        assert agent.stdout is not None
        assert agent.stdout.readline() == b"ready\n"
        attacker = cell.inmate(IDS[1])
        cell.frames()
        attacker.begin(ATTEMPTS)
        agent.send_signal(signal.SIGKILL)
    honest = cell.inmate(IDS[0])  # restarted while nobody is there
    assert may_send(honest)
    if not same_build:
        built = next((cell.pins / "egress").iterdir())
        built.rename(built.with_name("0123456789abcdef"))
    sensor = cell.sensor([NOTHING, FRIENDLY], {IDS[0]: 1})
    assert may_send(honest)
    assert attacker.finish() == {"value": [errno.EPERM]}
    assert {frame.destination for frame in cell.frames()} <= {FRIEND4}
    containers = {event.container for event in collect(sensor, CgroupEvent)}
    assert containers == ({IDS[0], IDS[1]} if same_build else set())
    sensor.close(keep=False)
    assert not cell.pins.exists()


ATTEMPTS = f"""
end, refusals = time.monotonic() + 3, set()
while time.monotonic() < end:
    try:
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.sendto(b'evil', ({FOE4!r}, {PORT})); refusals.add(0)
    except OSError as error:
        refusals.add(error.errno)
value = sorted(refusals)
"""


def test_unfinished_start_is_not_adopted(cell: Cell) -> None:
    (cell.pins / "egress" / "unfinished").mkdir(parents=True)
    sensor = cell.sensor([NOTHING])
    assert [path.name for path in (cell.pins / "egress").iterdir()] != ["unfinished"]
    assert not may_send(cell.inmate(IDS[0]))
    sensor.close(keep=False)


def test_damaged_pins_are_replaced(cell: Cell) -> None:
    cell.sensor([NOTHING]).close(keep=True)
    next((cell.pins / "egress").glob("*/map-pq_rules")).unlink()
    inmate = cell.inmate(IDS[0])
    assert not may_send(inmate)
    sensor = cell.sensor([NOTHING, FRIENDLY], {IDS[0]: 1})
    assert may_send(inmate)
    assert len(list((cell.pins / "egress").iterdir())) == 1
    sensor.close(keep=False)


def test_new_parent_is_attached_by_an_adopting_agent(cell: Cell) -> None:
    first, second = cell.cgroup("first"), cell.cgroup("second")
    kept = Sensor.open([Parent(first, ParentKind.ALL)], cell.pins, [NOTHING], {}, features=[Egress])
    kept.close(keep=True)
    one, two = cell.inmate(f"first/{IDS[0]}"), cell.inmate(f"second/{IDS[1]}")
    assert (may_send(one), may_send(two)) == (False, True)
    sensor = Sensor.open([Parent(second, ParentKind.ALL)], cell.pins, [NOTHING], {}, features=[Egress])
    assert (may_send(one), may_send(two)) == (True, False)
    sensor.close(keep=False)


def test_contradictions_are_refused_and_what_was_in_force_stays(cell: Cell, sensor: Sensor) -> None:
    with pytest.raises(UsageError):
        sensor.apply([FRIENDLY], {})
    with pytest.raises(UsageError):
        sensor.apply([NOTHING], {IDS[0]: 7})
    with pytest.raises(UsageError):
        sensor.bind("../../etc", 0)
    with pytest.raises(UsageError):
        sensor.bind(IDS[0], 9)
    assert not may_send(cell.inmate(IDS[0]))


def test_parent_outside_the_hierarchy_is_a_clear_error(cell: Cell, tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="version 2 hierarchy"):
        Sensor.open([Parent(tmp_path, ParentKind.ALL)], cell.pins, [NOTHING], {})
    assert not cell.pins.exists()
    assert list(tmp_path.iterdir()) == []
