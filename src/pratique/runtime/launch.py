"""Starts an engine on a machine where none runs and nobody else would start one (no systemd)."""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from pratique.errors import EngineError

_READY_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.1


def engine_is_running(docker_host: str) -> bool:
    """Tell whether something accepts connections at the engine's address."""
    try:
        if docker_host.startswith("unix://"):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(docker_host.removeprefix("unix://"))
        else:
            address, _, port = docker_host.removeprefix("tcp://").rpartition(":")
            socket.create_connection((address, int(port)), timeout=2).close()
    except (OSError, ValueError):
        return False
    return True


def systemd_is_running() -> bool:
    """Tell whether systemd is the init system (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def start_engine(docker_host: str, log: Path) -> int:
    """Start ``dockerd`` as a daemon of its own session and return its pid once its socket answers.

    :param log: where its output goes
    :raises EngineError: when there is no dockerd, or it does not come up
    """
    program = shutil.which("dockerd")
    if program is None:
        msg = "no container engine runs and dockerd is not installed"
        raise EngineError(msg, hint="'make run' installs one, or: apt-get install docker.io")
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  # a fixed program and our own option
            [program, "--host", docker_host],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if engine_is_running(docker_host):
            return process.pid
        if process.poll() is not None:
            break
        time.sleep(_POLL_S)
    process.terminate()
    process.wait()
    last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["(no output)"]
    msg = f"dockerd did not come up: {last[0][:300]}"
    raise EngineError(msg, hint=f"its output is in {log}")
