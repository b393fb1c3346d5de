"""Worker processes die; the pool does not."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from pathlib import Path

import pytest

from pratique.pipelines.workers import Workers


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(1)
    yield workers
    workers.shutdown()


def test_task_runs_in_another_process(workers: Workers) -> None:
    assert workers.submit(os.getpid).result() != os.getpid()


def test_worker_that_dies_is_replaced(workers: Workers) -> None:
    for _ in range(2):
        with pytest.raises(BrokenExecutor):
            workers.submit(os._exit, 1).result()
        assert workers.submit(abs, -2).result() == 2


def test_worker_is_the_first_to_go_when_memory_is_short(workers: Workers) -> None:
    assert workers.submit(Path("/proc/self/oom_score_adj").read_text).result().strip() == "1000"


def test_ctrl_c_on_the_terminal_is_not_for_workers(workers: Workers) -> None:
    pid = workers.submit(os.getpid).result()
    os.kill(pid, signal.SIGINT)
    assert workers.submit(os.getpid).result() == pid


def test_workers_that_are_given_up_end_in_the_middle_of_their_task() -> None:
    workers = Workers(1)
    pid = workers.submit(os.getpid).result()
    task = workers.submit(time.sleep, 3600)
    while not task.running():
        time.sleep(0.01)
    workers.shutdown(cancel_futures=True)
    assert isinstance(task.exception(), BrokenExecutor)
    assert not Path(f"/proc/{pid}").exists()


def test_no_worker_outlives_a_process_that_is_killed() -> None:
    program = """
import os, time
from pratique.pipelines.workers import Workers
workers = Workers(1)
print(workers.submit(os.getpid).result(), flush=True)
workers.submit(time.sleep, 3600).result()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        worker = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    ended, _, _ = select.select([worker], [], [], 60)
    os.close(worker)
    assert ended
