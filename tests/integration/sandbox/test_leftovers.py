"""However a run ends, nothing of it is left: no process, mount, cgroup, pin or file."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from pratique.errors import ImageError, SandboxError
from pratique.image import open_image
from pratique.sandbox import Options, run, sweep
from tests.integration.sandbox.played import WORK, image, play, remains

FOR_EVER: Final = "while :; do sleep 0.2; done"
PATIENCE_S: Final = 90.0
CALLER: Final = """
import asyncio, sys
from pathlib import Path
from pratique.image import open_image
from pratique.sandbox import Options, run
with open_image(Path(sys.argv[1])) as image:
    asyncio.run(run(image, Path(sys.argv[2]), Options(for_s=300.0)))
"""


async def until(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not fact():
        assert time.monotonic() < deadline, "it did not come"
        await asyncio.sleep(0.02)


def wait_until(fact: Callable[[], bool]) -> None:
    asyncio.run(until(fact))


def members(caller: int) -> list[int]:
    """The container's processes in a run of a caller."""
    pids: list[int] = []
    for path in Path("/sys/fs/cgroup/pids").glob(f"pratique-sandbox-{caller}-*/*/cgroup.procs"):
        with contextlib.suppress(OSError):
            pids += map(int, path.read_text().split())
    return pids


def is_running(caller: int) -> bool:
    """Whether the container's own program runs, in the end of all that is set up."""
    for pid in members(caller):
        with contextlib.suppress(OSError):
            if b"sleep 0.2" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return True
    return False


def keeper_of(caller: int) -> int:
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"pratique.sandbox.keeper" in (path / "cmdline").read_bytes() and parent_of(int(path.name)) == caller:
                return int(path.name)
    raise AssertionError(caller)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def traces(caller: int) -> list[str]:
    mark = f"pratique-sandbox-{caller}-*"
    places = (("/sys/fs/cgroup", f"*/{mark}"), ("/sys/fs/cgroup", mark), ("/sys/fs/bpf", mark), (str(WORK), mark))
    return [str(path) for place, pattern in places for path in Path(place).glob(pattern)]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    WORK.mkdir(mode=0o700, exist_ok=True)
    path = tmp_path / "image.tar"
    path.write_bytes(image(Cmd=["/bin/sh", "-c", FOR_EVER]).archive)
    return path


def test_run_that_ends_by_itself_leaves_nothing() -> None:
    play("busybox setsid sh -c 'while :; do sleep 0.2; done' & exit 0")
    assert remains() == []


def test_cancelled_run_leaves_nothing(archive: Path) -> None:
    async def cancelled() -> None:
        with open_image(archive) as opened:
            task = asyncio.ensure_future(run(opened, WORK, Options(for_s=300.0)))
            await until(lambda: is_running(os.getpid()))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert remains() == []

    asyncio.run(cancelled())


def test_run_cancelled_at_once_leaves_nothing(archive: Path) -> None:
    async def cancelled(after_s: float) -> None:
        with open_image(archive) as opened:
            task = asyncio.ensure_future(run(opened, WORK, Options(for_s=300.0)))
            await asyncio.sleep(after_s)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert remains() == []

    for after_s in (0.0, 0.05, 0.4, 0.8):
        asyncio.run(cancelled(after_s))


def test_run_whose_keeper_is_killed_is_an_error_and_leaves_nothing(archive: Path) -> None:
    async def killed() -> None:
        with open_image(archive) as opened:
            task = asyncio.ensure_future(run(opened, WORK, Options(for_s=300.0)))
            await until(lambda: is_running(os.getpid()))
            os.kill(keeper_of(os.getpid()), signal.SIGKILL)
            with pytest.raises(SandboxError):
                await task
        assert remains() == []

    asyncio.run(killed())


def started(archive: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", CALLER, archive, WORK])
    wait_until(lambda: is_running(process.pid))
    return process


def test_keeper_whose_caller_is_killed_ends_the_run(archive: Path) -> None:
    caller = started(archive)
    keeper = keeper_of(caller.pid)
    caller.kill()
    caller.wait()
    wait_until(lambda: not members(caller.pid) and not Path(f"/proc/{keeper}/ns").exists())
    play("true")  # sweeps up
    assert traces(caller.pid) == []


@pytest.mark.parametrize("begin", [lambda: play("true"), lambda: sweep(WORK)], ids=["run", "agent"])
def test_what_is_left_when_all_were_killed_is_ended_by_the_next(archive: Path, begin: Callable[[], object]) -> None:
    caller = started(archive)
    keeper = keeper_of(caller.pid)
    os.kill(keeper, signal.SIGSTOP)
    caller.kill()
    caller.wait()
    os.kill(keeper, signal.SIGKILL)
    assert traces(caller.pid)
    assert members(caller.pid)
    begin()
    assert traces(caller.pid) == []
    assert members(caller.pid) == []


def test_run_of_a_living_process_is_left_alone_by_another(archive: Path) -> None:
    caller = started(archive)
    play("true")
    assert is_running(caller.pid)
    caller.terminate()
    caller.wait()
    wait_until(lambda: not members(caller.pid))
    play("true")
    assert traces(caller.pid) == []


def test_sinkhole_that_dies_is_an_error_not_a_recording_without_conversations(archive: Path) -> None:
    async def killed() -> None:
        with open_image(archive) as opened:
            task = asyncio.ensure_future(run(opened, WORK, Options(for_s=3.0)))
            await until(lambda: is_running(os.getpid()))
            keeper = keeper_of(os.getpid())
            children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
            sinkhole = next(pid for pid in children if b"sinkhole" in Path(f"/proc/{pid}/cmdline").read_bytes())
            os.kill(int(sinkhole), signal.SIGKILL)
            with pytest.raises(SandboxError, match="sinkhole"):
                await task
        assert remains() == []

    asyncio.run(killed())


def test_image_over_the_bound_leaves_nothing(archive: Path) -> None:
    with open_image(archive) as opened, pytest.raises(ImageError, match="more than 1000 bytes"):
        asyncio.run(run(opened, WORK, Options(max_image_bytes=1000)))
    assert remains() == []


def test_two_runs_at_once_do_not_disturb_each_other(archive: Path) -> None:
    async def both() -> None:
        with open_image(archive) as opened:
            runs = [run(opened, WORK, Options(for_s=3.0, command=("/bin/sh", "-c", f"echo {n}"))) for n in range(2)]
            recordings = await asyncio.gather(*runs)
        assert [recording.output for recording in recordings] == [b"0\n", b"1\n"]
        assert remains() == []

    asyncio.run(both())
