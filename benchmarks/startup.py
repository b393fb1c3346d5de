"""How long ``pratique --help`` takes with compiled bytecode, against a bare interpreter and the budget of 150 ms."""

import compileall
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.row import Row

_ROUNDS = 15
_BUDGET_MS = 150.0


def run() -> list[Row]:
    """Return ``--help`` against ``python -c pass``, alternating, and the same against the budget."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    compileall.compile_dir(str(Path(__file__).parent.parent / "src"), quiet=1)
    bare = [sys.executable, "-c", "pass"]
    ours = [sys.executable, "-m", "pratique", "--help"]
    bare_ms, ours_ms = [], []
    for _ in range(_ROUNDS):
        bare_ms.append(_milliseconds(bare, environment))
        ours_ms.append(_milliseconds(ours, environment))
    bare_median, ours_median = statistics.median(bare_ms), statistics.median(ours_ms)
    return [
        Row("pratique --help, against a bare interpreter", bare_median, ours_median, "ms"),
        Row("pratique --help, against the budget", _BUDGET_MS, ours_median, "ms"),
    ]


def _milliseconds(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1e3
