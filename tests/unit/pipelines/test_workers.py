"""Worker processes die; the pool does not."""

import os
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
