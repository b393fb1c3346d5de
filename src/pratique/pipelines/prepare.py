"""What must be settled before protection begins: one agent a host, an engine that runs, a policy."""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pratique.errors import HostError, PratiqueError, UsageError
from pratique.model import ImageId, Report
from pratique.pipelines.account import Account
from pratique.pipelines.admit import Admissions
from pratique.pipelines.presence import LOCK_NAME
from pratique.pipelines.workers import Workers
from pratique.policy import first_policy, render
from pratique.runtime import Engine, engine_is_running, start_engine, systemd_is_running


def privileged() -> None:
    """See that this process may do what protecting takes.

    :raises HostError: when it may not
    """
    if os.geteuid():
        msg = "protecting a host takes root: to load programs into the kernel and to configure the engine"
        raise HostError(msg, hint="run it as root")


@contextmanager
def only_agent(run_dir: Path) -> Iterator[None]:
    """Hold the host's lock.

    :raises UsageError: when another agent holds it
    :raises HostError: when it cannot be made
    """
    path = run_dir / LOCK_NAME
    try:
        run_dir.mkdir(parents=True, exist_ok=True, mode=0o755)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        msg = f"the agent's lock {path} cannot be opened for writing: {error.strerror}"
        raise HostError(
            msg, hint="run as root, or set PRATIQUE_RUN_DIR to a directory that may be written to"
        ) from error
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        msg = f"another agent runs on this host already (pid {holder or 'unknown'})"
        raise UsageError(msg, hint="stop it first, or set PRATIQUE_RUN_DIR for another engine") from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())


@contextmanager
def running_engine(docker_host: str, state_dir: Path, account: Account, *, may_start: bool) -> Iterator[None]:
    """See that an engine runs; one that had to be started is stopped at the end.

    :raises EngineError: when none can be started
    """
    if not may_start or engine_is_running(docker_host) or systemd_is_running():
        yield
        return
    pid = start_engine(docker_host, state_dir / "dockerd.log")
    account.say(f"no container engine was running, so one was started (dockerd, pid {pid})")
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
        account.say("the engine that was started is stopped")


@contextmanager
def scan_workers() -> Iterator[Workers]:
    """Hold processes for scanning; scans under way are given up at the end."""
    workers = Workers(2)
    try:
        yield workers
    finally:
        workers.shutdown(wait=False, cancel_futures=True)


async def make_policy(path: Path, account: Account, engine: Engine, admissions: Admissions) -> None:
    """Make the first policy from what runs on this host, and write it down.

    :raises EngineError: when the engine does not answer
    :raises HostError: when it cannot be written
    """
    images = await engine.images()
    containers = await engine.containers()
    account.say(f"no policy yet; making a first one from what runs here ({path})")
    running = {container.image for container in containers if container.running}
    reports: dict[ImageId, Report] = {}
    for image in images:
        if image.id in running:
            with suppress(PratiqueError):  # told by the book of reports; an image without a report is not listed
                reports[image.id] = await admissions.report(image)
    document = first_policy(images, containers, reports)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(path, render(document))
    except OSError as error:
        msg = f"policy {path} cannot be written: {error.strerror}"
        raise HostError(msg, hint="run as root, and make room on its file system") from error


def _write(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    with beside.open("w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    beside.rename(path)
