"""The processes in which images are scanned."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
_TASKS_PER_PROCESS: Final = 50


class Workers(Executor):
    """A pool that outlives its processes: one that dies takes what is under way with it, the next task gets new ones.

    Matching holds the interpreter's lock, and hostile bytes stay out of the process that guards. When memory is
    short, the kernel takes a worker first. No worker outlives this process, however it ends.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._theirs, self._ours = multiprocessing.Pipe(duplex=False)
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
        """End the workers; with ``cancel_futures`` in the middle of what they do."""
        if cancel_futures:
            self._ours.close()
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def _make(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(self._theirs,),
            max_tasks_per_child=_TASKS_PER_PROCESS,
        )


def _begin(life: Connection) -> None:
    """Prepare a worker.

    It is offered to the kernel's out-of-memory killer before all others (proc(5), ``oom_score_adj``). A terminal's
    Ctrl-C is its parent's affair.

    :param life: its other end is the parent's alone, and closed when the parent ends
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    threading.Thread(target=_end_with, args=(life,), daemon=True).start()


def _end_with(life: Connection) -> None:
    life.poll(None)
    os._exit(1)
