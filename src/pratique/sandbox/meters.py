"""What a run cost, read from its cgroups before they go. Sources: kernel doc cgroup-v2; cgroup-v1/memory."""

from pathlib import Path
from typing import Self

from msgspec import Struct

from pratique.sandbox.job import Job
from pratique.sandbox.leftovers import CGROUPS


class Meters(Struct, frozen=True):
    """Totals of a run."""

    cpu_s: float
    waited_s: float
    """In which some process of it was ready to run and none of the processors was free: kernel doc psi."""
    peak_memory: int
    out_of_memory: bool
    """The kernel killed a process of it for want of memory."""

    @classmethod
    def read(cls, job: Job) -> Self:
        """Read what there is; a file that this kernel lacks counts nothing."""
        below = f"{job.name}/{job.container}"
        unified = [CGROUPS / below, CGROUPS / "unified" / below]
        memory = [CGROUPS / below, CGROUPS / "memory" / below]
        cpu = sum(_field(path / "cpu.stat", "usage_usec") for path in unified)
        waited = sum(_waited(path / "cpu.pressure") for path in unified)
        peak = max(_number(path / name) for path in memory for name in ("memory.peak", "memory.max_usage_in_bytes"))
        kills = sum(
            _field(path / name, "oom_kill") for path in memory for name in ("memory.events", "memory.oom_control")
        )
        return cls(cpu / 1e6, waited / 1e6, peak, bool(kills))


def unified() -> Path | None:
    """Return where the unified hierarchy is mounted, alone or beside those of version 1."""
    return next((path for path in (CGROUPS, CGROUPS / "unified") if (path / "cgroup.controllers").exists()), None)


def inode_of(job: Job) -> int:
    """Return the id of the container's cgroup in the unified hierarchy: the sensor's name for it; 0 when it is gone."""
    root = unified()
    try:
        return (root / job.name / job.container).stat().st_ino if root else 0
    except OSError:
        return 0


def _field(path: Path, name: str) -> int:
    for line in _text(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdigit():
            return int(value)
    return 0


def _waited(path: Path) -> int:
    """Return the total of the first line, in microseconds."""
    total = _text(path).partition("\n")[0].rpartition("total=")[2]
    return int(total) if total.isdigit() else 0


def _number(path: Path) -> int:
    text = _text(path).strip()
    return int(text) if text.isdigit() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
