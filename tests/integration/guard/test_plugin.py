"""The plugin's life: slow, killed in mid-request, gone, back; an engine that restarts; many requests at once."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest

from pratique.guard.install import install, status, uninstall
from pratique.policy import Admission, Document
from testbed import images
from testbed.engine import ThrowAwayEngine
from tests.integration.guard.guarded import Guarded, post

IMAGE = "alpine-like/base:1"
CREATE = "/v1.41/containers/create"


@pytest.fixture(scope="module")
def lone_engine(root: None) -> Iterator[ThrowAwayEngine]:
    """An engine that may be restarted."""
    del root
    with ThrowAwayEngine() as engine:
        client = engine.client()
        images.base().load(client)
        client.close()
        yield engine


@pytest.fixture
def guarded(lone_engine: ThrowAwayEngine) -> Iterator[Guarded]:
    """The engine behind a guard of this test's own."""
    with Guarded(lone_engine) as guarded:
        install(guarded.target)
        yield guarded
        if not guarded.alive:
            guarded.__enter__()
        uninstall(guarded.target)
        guarded.reset()


def test_a_scan_that_takes_too_long_is_answered_in_time_and_goes_on(guarded: Guarded) -> None:
    guarded.document = Document(admission=Admission(scan_deadline_s=0.2))
    guarded.shelf.pause_s = 3
    status_code, answer = post(guarded.engine.socket, CREATE, {"Image": IMAGE})
    assert status_code == 403
    assert b"start.scanning" in answer
    deadline = time.monotonic() + 30
    while post(guarded.engine.socket, CREATE, {"Image": IMAGE})[0] != 201:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert guarded.shelf.scans == 1


def test_a_guard_killed_in_mid_request_opens_nothing(lone_engine: ThrowAwayEngine) -> None:
    """The engine asks the next guard again, with an empty body."""
    path = Path("/run/docker/plugins") / f"{lone_engine.plugin_name}.sock"
    program = [sys.executable, "-m", "tests.integration.guard.mortal", lone_engine.url, str(path), "60"]
    mortal = subprocess.Popen(program, stdout=subprocess.PIPE)
    assert mortal.stdout is not None
    assert mortal.stdout.readline() == b"ready\n"
    guarded = Guarded(lone_engine)
    install(guarded.target)
    answers: list[tuple[int, bytes]] = []
    client = threading.Thread(target=lambda: answers.append(post(lone_engine.socket, CREATE, {"Image": IMAGE})))
    client.start()
    time.sleep(0.5)  # the question is in the guard's hands, waiting for the scan
    mortal.send_signal(signal.SIGKILL)
    mortal.communicate()
    with guarded:
        client.join(60)
        assert answers[0][0] == 403
        assert b"request.unreadable" in answers[0][1]
        assert post(lone_engine.socket, CREATE, {"Image": IMAGE})[0] == 201
        uninstall(guarded.target)
        guarded.reset()


def test_a_guard_that_is_gone_fails_closed_and_one_that_is_back_is_asked_at_once(guarded: Guarded) -> None:
    guarded.__exit__()
    code, answer = post(guarded.engine.socket, CREATE, {"Image": IMAGE})
    assert (code, b"Plugin Error" in answer or b"plugin" in answer) == (500, True)
    guarded.__enter__()
    assert post(guarded.engine.socket, CREATE, {"Image": IMAGE})[0] == 201
    told = status(guarded.target)
    assert told.answers
    assert told.configured
    assert told.asked
    assert not told.blind_to_builds


def test_an_engine_that_restarts_asks_the_guard_from_its_first_request_on(guarded: Guarded) -> None:
    guarded.engine.restart()
    code, answer = post(guarded.engine.socket, CREATE, {"Image": IMAGE, "HostConfig": {"Privileged": True}})
    assert (code, b"create.privileged" in answer) == (403, True)
    assert post(guarded.engine.socket, CREATE, {"Image": IMAGE})[0] == 201


def test_a_container_from_before_the_guard_is_judged_when_it_starts(lone_engine: ThrowAwayEngine) -> None:
    client = lone_engine.client()
    old = client.containers.create(IMAGE, ["true"], network_mode="host")
    with Guarded(lone_engine) as guarded:
        install(guarded.target)
        for start in (old.start, old.restart):
            with pytest.raises(docker.errors.APIError, match=r"create\.host-network"):
                start()
        uninstall(guarded.target)
    old.start()
    old.remove(force=True)
    client.close()


def test_fifty_containers_at_once_are_all_judged_and_admitted(guarded: Guarded) -> None:
    def run(_: int) -> int:
        client = guarded.engine.client()
        container = client.containers.create(IMAGE, ["true"], network_mode="none")
        container.start()
        result: int = container.wait()["StatusCode"]
        client.close()
        return result

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(run, range(50))) == [0] * 50
    assert len({container for container, _ in guarded.admitted}) == 50
    assert guarded.rules() == []
