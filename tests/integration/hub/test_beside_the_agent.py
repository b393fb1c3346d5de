"""The console beside a running agent, on a real engine and kernel: it takes nothing from protection."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pratique.model import EgressMode
from pratique.policy import Document, ImagePolicy, parse, render
from testbed import images
from testbed.engine import ThrowAwayEngine
from testbed.protection import Protection

ADDRESS = "127.0.0.1:8471"
pytestmark = pytest.mark.parametrize("engine", ["hybrid"], indirect=True)  # cgroups make no difference here
VISITOR = Path(__file__).with_name("visitor.py")


@pytest.fixture
def protection(engine: ThrowAwayEngine) -> Iterator[Protection]:
    entry = ImagePolicy("shop/redis:1", (images.redis().id,), EgressMode.ENFORCE)
    protection = Protection(engine, render(Document(images=(entry,))), console=ADDRESS)
    yield protection
    if protection.alive:
        protection.stop()


def _visit(protection: Protection, image: str = "", rule: str = "{}") -> dict[str, Any]:
    link = protection.run("console", "login").strip()
    said = protection.engine.network.run(sys.executable, str(VISITOR), link, image, rule)
    told: dict[str, Any] = json.loads(said)
    return told


def _console_pid(protection: Protection) -> int | None:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status, command = (entry / "stat").read_text(), (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if int(status.rpartition(")")[2].split()[1]) == protection.pid and b"console" in command:
                return int(entry.name)
    return None


def test_what_is_accepted_in_the_console_is_in_the_kernel_and_a_killed_console_comes_back(
    protection: Protection,
) -> None:
    protection.start()
    protection.wait_for(f"console: http://{ADDRESS}/login#")
    rule = {"to": "10.9.8.7", "port": 80, "protocol": "tcp"}
    told = _visit(protection, images.redis().id, json.dumps(rule))
    assert told["overview"]["policy"]["live"] is True
    assert told["allowed"]["live"] is True
    assert told["event"] == "event: decision"
    entry = parse(protection.policy_path.read_bytes()).image(images.redis().id)
    assert entry is not None
    assert [allowed.to for allowed in entry.allow] == ["10.9.8.7"]
    said = protection.log.stat().st_size
    pid = _console_pid(protection)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    protection.wait_for("the console ended", after=said)
    assert protection.alive
    protection.wait_for(f"console: http://{ADDRESS}/login#", after=said)
    assert _visit(protection)["overview"]["policy"]["live"] is True
    pid = _console_pid(protection)
    assert protection.stop() == 0
    assert not Path(f"/proc/{pid}").exists()


def test_a_console_ends_when_its_agent_is_killed(protection: Protection) -> None:
    protection.start()
    protection.wait_for(f"console: http://{ADDRESS}/login#")
    pid = _console_pid(protection)
    protection.stop(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    protection.start()  # it adopts what the killed one left, so that stopping it leaves nothing


def test_a_port_that_is_taken_is_told_and_protection_goes_on(protection: Protection) -> None:
    listen = (
        f"import socket, time; s = socket.create_server(('127.0.0.1', {ADDRESS.partition(':')[2]})); time.sleep(600)"
    )
    other = protection.engine.network.start([sys.executable, "-c", listen])
    try:
        protection.start()
        protection.wait_for("Address already in use")
        assert protection.alive
    finally:
        other.kill()
        other.wait()
