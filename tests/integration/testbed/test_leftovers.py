import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testbed import leftovers

pytestmark = pytest.mark.usefixtures("root")

KILLED = """
import sys, time
from testbed import images
from testbed.engine import ThrowAwayEngine
with ThrowAwayEngine() as engine:
    client = engine.client()
    images.base().load(client)
    client.containers.run("alpine-like/base:1", ["sleep", "600"], detach=True)
    print(engine.tag, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_run_left_is_swept() -> None:
    run = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3])
    assert run.stdout is not None
    with run.stdout as output:
        tag = output.readline().decode().strip()
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    folder = leftovers.ROOT / tag
    assert f"{folder}/" in Path("/proc/self/mountinfo").read_text()

    assert tag in leftovers.sweep()

    assert not folder.exists()
    assert f"{folder}/" not in Path("/proc/self/mountinfo").read_text()
    assert not list(Path("/sys/fs/cgroup").glob(f"*/pratique-{tag}"))
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if tag in _text(path)]


def test_what_a_living_run_uses_is_left_alone() -> None:
    folder = leftovers.claim("living")
    try:
        assert "living" not in leftovers.sweep()
        assert folder.exists()
    finally:
        leftovers.end("living")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
