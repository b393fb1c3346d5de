"""Who can command an engine, read from a real ``/proc``."""

import subprocess
import sys
from pathlib import Path

import pytest

from pratique.runtime.exposure import engine_processes

LISTEN = """
import socket, sys, time
four = socket.create_server(("127.0.0.1", 0))
six = socket.create_server(("::1", 0), family=socket.AF_INET6)
connected = socket.create_connection(four.getsockname())
print(four.getsockname()[1], six.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that the kernel calls ``dockerd``."""
    link = tmp_path / "dockerd"
    link.symlink_to(sys.executable)
    return link


def test_addresses_that_an_engine_listens_on_are_found(program: Path) -> None:
    with subprocess.Popen(
        [program, "-I", "-c", LISTEN, "--host", "fd://"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        four, six = process.stdout.readline().split()
        (engine,) = [engine for engine in engine_processes() if engine.pid == process.pid]
        process.communicate("")
    assert {str(listener) for listener in engine.listeners} == {f"127.0.0.1:{four}", f"[::1]:{six}"}
    assert engine.hosts == ("fd://",)
