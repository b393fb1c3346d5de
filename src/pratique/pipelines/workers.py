"""The processes in which images are scanned."""

import contextlib
import multiprocessing
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
_TASKS_PER_PROCESS: Final = 50


class Workers(Executor):
    """A pool that outlives its processes: one that dies takes what is under way with it, the next task gets new ones.

    Matching holds the interpreter's lock, and hostile bytes stay out of the process that guards. When memory is
    short, the kernel takes a worker first.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = self._make()

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Run a function of a module in a worker."""
        try:
            return self._pool.submit(fn, *args, **kwargs)
        except BrokenExecutor:
            self._pool.shutdown(wait=False)
            self._pool = self._make()
            return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers."""
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def _make(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_step_forward,
            max_tasks_per_child=_TASKS_PER_PROCESS,
        )


def _step_forward() -> None:
    """Offer this process to the kernel's out-of-memory killer before all others (proc(5), ``oom_score_adj``)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
