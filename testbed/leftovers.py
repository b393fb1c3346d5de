"""Ending what the test bed started: processes by their mark, mounts by their path, cgroups by their name.

Used by a stop in good order and, with the same code, for what a killed run left there.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from testbed.namespace import MARK

ROOT: Final = Path("/tmp/pratique-testbed")
"""One folder for each tag; its file ``owner`` names the process that made it."""

_CGROUPS: Final = Path("/sys/fs/cgroup")
_PINS: Final = Path("/sys/fs/bpf")
_PLUGINS: Final = Path("/run/docker/plugins")
_SHIM_SOCKETS: Final = Path("/run/containerd/s")
_PATIENCE_S: Final = 30.0


def claim(tag: str) -> Path:
    """Make the folder for ``tag``, owned by this process."""
    folder = ROOT / tag
    folder.mkdir(parents=True)
    (folder / "owner").write_text(f"{os.getpid()} {_status(os.getpid())[1]}")
    return folder


def sweep() -> list[str]:
    """End what killed runs left; return their tags. What belongs to a living process is left alone."""
    swept = []
    for folder in sorted(ROOT.glob("*/")):
        try:
            pid, started = (folder / "owner").read_text().split()
        except (OSError, ValueError):
            continue
        if _status(int(pid))[1] != started:
            end(folder.name)
            swept.append(folder.name)
    return swept


def end(tag: str) -> None:
    """End every process, container, mount, cgroup, pin and file of ``tag``."""
    folder = ROOT / tag
    _kill(lambda: _marked(tag))
    _kill(lambda: _members(tag))
    _unmount_below(folder)
    for address in folder.glob("containerd-state/*/*/*/address"):
        socket = Path(address.read_text().removeprefix("unix://"))
        if socket.parent == _SHIM_SOCKETS:
            socket.unlink(missing_ok=True)
    for parent in _cgroups(tag):
        for cgroup in sorted(parent.glob("**/"), reverse=True):
            cgroup.rmdir()
    shutil.rmtree(_PINS / f"pratique-{tag}", ignore_errors=True)
    (_PLUGINS / f"pratique-{tag}.sock").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _kill(find: Callable[[], set[int]]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while pids := find():
        if time.monotonic() > deadline:
            msg = f"processes {sorted(pids)} do not end"
            raise RuntimeError(msg)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)


def _marked(tag: str) -> set[int]:
    mark = f"{MARK}={tag}".encode()
    found = set()
    for pid in _processes():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        if mark in environment.split(b"\0"):
            found.add(pid)
    return found


def _members(tag: str) -> set[int]:
    found = set()
    for parent in _cgroups(tag):
        for file in parent.glob("**/cgroup.procs"):
            found |= {int(pid) for pid in file.read_text().split() if _status(int(pid))[0] not in {"", "Z", "X"}}
    return found


def _cgroups(tag: str) -> list[Path]:
    return [path for path in _CGROUPS.glob(f"*/pratique-{tag}") if not path.parent.is_symlink()]


def _processes() -> list[int]:
    own = os.getpid()
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and int(path.name) != own]


def _status(pid: int) -> tuple[str, str]:
    """Return a process's state letter and start time, see proc(5), ``/proc/PID/stat``; ``("", "")``: gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", ""
    return fields[0], fields[19]


def _unmount_below(folder: Path) -> None:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in reversed([point for point in points if point.startswith(f"{folder}/")]):
        subprocess.run(["umount", "--lazy", point], check=False)
