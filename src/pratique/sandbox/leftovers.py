"""What a run leaves when it is killed, and how it is found: cgroups, pins of the sensor, its directory.

Everything carries the run's name, which holds the process that called :func:`pratique.sandbox.run` and when that
started: ``pratique-sandbox-<pid>-<start>-<random>``. Mounts and network namespaces end with the processes in them.
"""

import contextlib
import os
import re
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pratique.errors import SandboxError
from pratique.sandbox.job import PREFIX
from pratique.sensor.live import remove_pins

CGROUPS: Final = Path("/sys/fs/cgroup")
PINS: Final = Path("/sys/fs/bpf")
_NAME: Final = re.compile(PREFIX + r"(\d+)-(\d+)-[0-9a-f]{8}")
_PATIENCE_S: Final = 20.0


def new_name() -> str:
    """Return the name of a new run of this process."""
    return f"{PREFIX}{os.getpid()}-{_started(os.getpid())}-{secrets.token_hex(4)}"


def sweep(work: Path) -> None:
    """Remove what runs left whose process is gone."""
    found = [*_cgroups(PREFIX + "*"), *PINS.glob(PREFIX + "*"), *work.glob(PREFIX + "*")]
    for name in {path.name for path in found}:
        match = _NAME.fullmatch(name)
        if match and _started(int(match[1])) != match[2]:
            remove(name, work)


def remove(name: str, work: Path) -> None:
    """End every process of a run and remove whatever carries its name.

    :raises SandboxError: when its processes do not end
    """
    end_processes(name)
    for parent in _cgroups(name):
        _remove_cgroups(parent)
    with contextlib.suppress(FileNotFoundError):
        remove_pins(PINS / name)
    shutil.rmtree(work / name, ignore_errors=True)


def end_processes(name: str) -> None:
    """Kill whatever is in the cgroups of a run.

    :raises SandboxError: when it does not end
    """
    deadline = time.monotonic() + _PATIENCE_S
    while pids := set(_members(name)):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            msg = f"processes of the sandbox do not end: {', '.join(map(str, sorted(pids)))}"
            raise SandboxError(msg)
        time.sleep(0.01)


def _remove_cgroups(parent: Path) -> None:
    """Remove a cgroup and what is below it, as soon as the kernel has forgotten the processes that were there."""
    deadline = time.monotonic() + _PATIENCE_S
    while parent.exists():
        try:
            for cgroup in sorted(parent.glob("**/"), reverse=True):
                with contextlib.suppress(FileNotFoundError):
                    cgroup.rmdir()
        except OSError as error:
            if time.monotonic() > deadline:
                msg = f"cgroup {parent} of the sandbox cannot be removed: {error.strerror}"
                raise SandboxError(msg) from error
            time.sleep(0.01)


def _members(name: str) -> Iterator[int]:
    for parent in _cgroups(name):
        for file in parent.glob("**/cgroup.procs"):
            with contextlib.suppress(OSError):
                # 0 stands for a process that this PID namespace does not see.
                yield from (int(pid) for pid in file.read_text().split() if pid != "0" and not _is_dead(int(pid)))


def _cgroups(name: str) -> list[Path]:
    """Return the cgroups of a name in every hierarchy, whether mounted in one place or in one for each controller."""
    places = [*CGROUPS.glob(name), *CGROUPS.glob(f"*/{name}")]
    return [path for path in places if path.is_dir() and not path.parent.is_symlink()]


def _is_dead(pid: int) -> bool:
    fields = _status(pid)
    return not fields or fields[0] in {"Z", "X"}


def _started(pid: int) -> str:
    fields = _status(pid)
    return fields[19] if fields else ""


def _status(pid: int) -> list[str]:
    """Return the fields of proc_pid_stat(5) from the state on; none when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
