"""What the attacker hopes for: a gap while Pratique or the engine is stopped, killed, restarted or fed nonsense."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from docker.errors import APIError
from docker.models.containers import Container

from pratique.policy import Builds
from testbed import images
from testbed.protection import Protection
from testbed.servers import TCP_PORTS, UDP_PORT
from testbed.shop import policy
from testbed.stage import Stage
from testbed.world import ATTACKER, ATTACKER6

TCP_PORT = TCP_PORTS[0]
SEND_ALL = (
    f"probe tcp {ATTACKER} {TCP_PORT} x; probe udp {ATTACKER} {UDP_PORT} x; probe icmp {ATTACKER} x;"
    f"probe raw {ATTACKER} 253 x; probe udp {ATTACKER6} {UDP_PORT} x; probe icmp {ATTACKER6} x"
)
PATIENCE_S = 20.0


@contextmanager
def running(container: Container, command: str) -> Iterator[int]:
    """Run a shell command in a container in the background; the value is its process id on the host."""
    assert container.client is not None
    api = container.client.api
    execution = api.exec_create(container.id, ["sh", "-c", command])["Id"]
    api.exec_start(execution, detach=True)
    pid = int(api.exec_inspect(execution)["Pid"])
    try:
        yield pid
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def told_of(protection: Protection, image: images.Image, since: float) -> bool:
    """Wait until it is told that traffic of an image was denied."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if any(alert["image"] == image.id and alert["action"] == "denied" for alert in protection.alerts(since)):
            return True
    return False


def is_still_stopped(stage: Stage) -> bool:
    mark = stage.world.mark()
    outcome = stage.attack.play(stage.steps["d6.4"])
    return not outcome.succeeded and stage.received(mark) == []


def _trace(stage: Stage) -> tuple[str, list[str]]:
    """What Pratique changes on a host for as long as it runs."""
    folders = (stage.engine.pin_dir, stage.engine.folder, Path("/run/docker/plugins"))
    ours = (f"{stage.engine.plugin_name}*", f"{stage.engine.daemon_json.name}*")
    left = [str(path) for folder in folders for pattern in ours for path in folder.glob(pattern)]
    return stage.engine.daemon_json.read_text(), [*left, *map(str, stage.engine.pin_dir.rglob("*"))]


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_start_and_stop_leave_the_host_as_it_was(stage: Stage, how: signal.Signals) -> None:
    before = _trace(stage)
    with Protection(stage.engine, policy(Builds.DENY)) as protection:
        assert stage.engine.plugin_name in stage.engine.daemon_json.read_text()
        assert is_still_stopped(stage)
        assert protection.stop(how) == 0
    assert _trace(stage) == before
    assert stage.attack.play(stage.steps["d6.4"]).succeeded
    assert stage.attack.play(stage.steps["a1"]).succeeded


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize("moment", ["policy in force", "egress is live", "packet-link is live", "the engine asks"])
def test_ctrl_c_while_it_starts_leaves_the_host_as_it_was(stage: Stage, moment: str) -> None:
    before = _trace(stage)
    protection = Protection(stage.engine, policy(Builds.DENY))
    protection.start(until=moment)
    assert protection.stop(signal.SIGINT) == 0
    assert _trace(stage) == before
    assert stage.engine.answers()


@pytest.mark.usefixtures("undisturbed")
def test_killed_and_started_anew_it_still_leaves_the_host_as_it_was(stage: Stage) -> None:
    before = _trace(stage)
    with Protection(stage.engine, policy(Builds.DENY)) as protection:
        protection.stop(signal.SIGKILL)
        assert _trace(stage) != before
        protection.start()
    assert _trace(stage) == before


@pytest.mark.usefixtures("undisturbed")
def test_agent_restarted_in_the_middle_of_an_attack_leaves_no_gap(stage: Stage) -> None:
    agent = Protection(stage.engine, policy(Builds.DENY), command="agent")
    try:
        agent.start()
        mark = stage.world.mark()
        with running(stage.shop.checkout, f"while :; do {SEND_ALL}; done"):
            for _ in range(3):
                agent.stop()
                agent.start()
            assert told_of(agent, images.checkout(), time.time())
            assert stage.received(mark) == []
    finally:
        agent.stop()
        with Protection(stage.engine, policy(Builds.DENY)):
            """Its end in good order lifts what the agent left in the kernel."""


@pytest.mark.usefixtures("undisturbed")
def test_killed_agent_leaves_enforcement_and_a_closed_api(stage: Stage, protection: Protection, mark: int) -> None:
    with running(stage.shop.checkout, f"while :; do {SEND_ALL}; done"):
        client = stage.engine.client(tcp=True)
        protection.stop(signal.SIGKILL)
        with pytest.raises(APIError, match="pratique"):
            client.containers.list()
        assert stage.received(mark) == []
        protection.start()
        assert client.containers.list()
        client.close()
        assert stage.received(mark) == []


@pytest.mark.usefixtures("undisturbed")
def test_connection_that_was_there_before_the_agent_is_cut(stage: Stage) -> None:
    mark = stage.world.mark()
    with running(stage.shop.checkout, f"exec probe hold {ATTACKER} {TCP_PORT} tick"):
        assert stage.world.attacker.wait_for(lambda event: event.kind == "tcp" and "tick" in event.text, since=mark)
        with Protection(stage.engine, policy(Builds.DENY)) as protection:
            mark = stage.world.mark()
            assert told_of(protection, images.checkout(), time.time())
            assert stage.received(mark) == []


@pytest.mark.usefixtures("undisturbed")
def test_container_that_was_there_before_the_agent_is_under_policy(stage: Stage) -> None:
    quiet = images.quiet(ATTACKER, TCP_PORT)
    client = stage.engine.client()
    quiet.load(client)
    mark = stage.world.mark()
    client.containers.run(quiet.reference, detach=True)
    client.close()
    assert stage.world.attacker.wait_for(lambda event: event.kind == "tcp" and "quiet" in event.text, since=mark)
    with Protection(stage.engine, policy(Builds.DENY)) as protection:
        mark = stage.world.mark()
        assert told_of(protection, quiet, time.time())
        assert stage.received(mark) == []
        stage.attack.clean()


@pytest.mark.usefixtures("undisturbed", "protection")
def test_of_fifty_containers_started_at_once_not_one_packet_leaves(stage: Stage, mark: int) -> None:
    client = stage.engine.client()
    storm = images.Image(
        "evil/storm:1", images.base().layers, {"Cmd": ["sh", "-c", f"{SEND_ALL}; {SEND_ALL}; sleep 600"]}
    )
    storm.load(client)
    containers = [client.containers.create("evil/storm:1") for _ in range(50)]
    gate = threading.Barrier(10)

    def start(some: list[Container]) -> None:
        gate.wait()
        for container in some:
            container.start()

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(start, [containers[number::10] for number in range(10)]))
    assert len(client.containers.list(filters={"ancestor": "evil/storm:1"})) == 50
    assert stage.received(mark) == []
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda container: container.remove(force=True), containers))
    assert stage.received(mark) == []
    client.close()


@pytest.mark.usefixtures("undisturbed", "protection")
def test_dropped_program_never_writes_its_marker_in_500_tries(stage: Stage) -> None:
    dropped = images.archive({"dropped": images.program("marker")}, executable=("dropped",))
    stage.shop.checkout.put_archive("/tmp", dropped)
    attempt = "/tmp/dropped /tmp/marker 2>/dev/null; [ $? -eq 137 ] && killed=$((killed+1)); n=$((n+1))"
    _, said = stage.shop.checkout.exec_run(["sh", "-c", f"n=0; while [ $n -lt 500 ]; do {attempt}; done; echo $killed"])
    assert isinstance(said, bytes)
    assert said.split()[-1] == b"500"
    assert not stage.shop.path("/tmp/marker").exists()


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_engine_restart_is_survived(stage: Stage, protection: Protection, how: signal.Signals, mark: int) -> None:
    with running(stage.shop.checkout, f"while :; do {SEND_ALL}; done"):
        stage.engine.stop(signal_number=how)
        stage.engine.start()
        assert stage.received(mark) == []
    assert protection.alive
    assert is_still_stopped(stage)
    assert not stage.attack.play(stage.steps["b1"]).succeeded
    assert not stage.attack.play(stage.steps["c1"]).succeeded


@pytest.mark.usefixtures("protection")
def test_restarted_container_is_under_its_policy_again(stage: Stage) -> None:
    stage.shop.checkout.restart(timeout=0)
    assert is_still_stopped(stage)
    served = stage.world.customers.mark()
    assert stage.world.customers.wait_for(lambda event: event.kind == "request" and not event.failed, since=served)


NONSENSE = {
    "no HTTP": b"\x00\xff\x16\x03\x01nonsense\r\n\r\n",
    "no body": b"POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "broken JSON": b'POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"Reques"',
    "16 MB": b"POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nHost: x\r\nContent-Length: 16777216\r\n\r\n" + b"[" * (16 << 20),
    "endless header": b"POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nX: " + b"x" * (4 << 20),
    "half a request": b"POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
}


@pytest.mark.usefixtures("undisturbed")
def test_nonsense_on_the_plugin_socket_is_never_a_yes(stage: Stage, protection: Protection) -> None:
    for what, nonsense in NONSENSE.items():
        answer = _tell_plugin(stage, nonsense)
        assert b'"Allow":true' not in answer.replace(b" ", b""), what
    assert protection.alive
    assert not stage.attack.play(stage.steps["c1"]).succeeded
    assert protection.alerts()
    assert "chain intact" in protection.run("decisions", "--verify")


def _tell_plugin(stage: Stage, nonsense: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(PATIENCE_S)
        stream.connect(f"/run/docker/plugins/{stage.engine.plugin_name}.sock")
        try:
            stream.sendall(nonsense)
            stream.shutdown(socket.SHUT_WR)
            return stream.recv(65536)
        except OSError:
            return b""


def test_body_too_large_for_the_engine_to_show_is_refused(stage: Stage, protection: Protection) -> None:
    body = {"Image": "alpine-like/base:1", "HostConfig": {"Privileged": True}}
    padded = b" " * (16 << 20) + json.dumps(body).encode()
    api = stage.attack.client.api
    answer = api.post(
        f"{api.base_url}/v1.41/containers/create", data=padded, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 403
    assert protection.alive


@pytest.mark.usefixtures("undisturbed")
def test_bad_policy_leaves_the_old_one_in_force(stage: Stage, protection: Protection) -> None:
    said = protection.log.stat().st_size
    protection.set_policy("builds: [maybe")
    protection.wait_for("the old one stays in force", after=said)
    assert is_still_stopped(stage)
    protection.set_policy(policy(Builds.DENY))
