"""Facts of this host that decide what Pratique can do here: kernel, privileges, file systems, cgroups, init system.

Nothing here changes the host, and nothing raises: what this user may not see is reported as not there.
"""

import ctypes
import errno
import os
import platform
from pathlib import Path
from typing import Final

from msgspec import Struct

from pratique.runtime.cgroups import Hierarchy, unified_mount
from pratique.runtime.launch import systemd_is_running

NEEDED_CAPABILITIES: Final = {
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_KILL": 5,
    "CAP_NET_ADMIN": 12,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}
"""Name → number (linux/capability.h)."""
_BPF_SYSCALL: Final = {"x86_64": 321, "aarch64": 280}
_BPF_MAP_CREATE: Final = 0


class HostFacts(Struct, frozen=True):
    """What this host is."""

    kernel: str
    """Release, as ``uname -r`` prints it."""
    machine: str
    btf: bool
    """The kernel's types are at ``/sys/kernel/btf/vmlinux``."""
    bpf: str
    """Empty when bpf(2) may be used, else why not."""
    lockdown: str
    """``none``, ``integrity``, ``confidentiality``; empty when the kernel has no such mode or does not tell."""
    security_modules: tuple[str, ...]
    bpffs: bool
    tracefs: bool
    hierarchy: Hierarchy
    unified: str
    """Where cgroup v2 is mounted, or empty."""
    user: int
    missing_capabilities: tuple[str, ...]
    systemd: bool


def host_facts(root: Path = Path("/")) -> HostFacts:
    """Look at this host; ``root`` is where its ``/proc`` and ``/sys`` are."""
    mounts = root / "proc/self/mounts"
    hierarchy, unified = _hierarchy(mounts)
    mounted = {tuple(line.split(" ")[1:3]) for line in _read(mounts).splitlines()}
    return HostFacts(
        kernel=platform.release(),
        machine=platform.machine(),
        btf=(root / "sys/kernel/btf/vmlinux").is_file(),
        bpf=_bpf_refusal(),
        lockdown=parse_lockdown(_read(root / "sys/kernel/security/lockdown")),
        security_modules=tuple(name for name in _read(root / "sys/kernel/security/lsm").strip().split(",") if name),
        bpffs=("/sys/fs/bpf", "bpf") in mounted,
        tracefs=("/sys/kernel/tracing", "tracefs") in mounted,
        hierarchy=hierarchy,
        unified=str(unified or ""),
        user=os.geteuid(),
        missing_capabilities=missing_capabilities(_read(root / "proc/self/status")),
        systemd=systemd_is_running(),
    )


def unified_cgroup(pid: int) -> str:
    """Return a process's cgroup in the unified hierarchy, empty when it cannot be told (cgroups(7))."""
    lines = _read(Path(f"/proc/{pid}/cgroup")).splitlines() if pid > 0 else []
    return next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")


def parse_lockdown(text: str) -> str:
    """Return the chosen mode of ``none [integrity] confidentiality`` (kernel_lockdown(7))."""
    return next((word.strip("[]") for word in text.split() if word.startswith("[")), "")


def missing_capabilities(status: str) -> tuple[str, ...]:
    """Return the capabilities that ``/proc/self/status`` does not list as effective."""
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    bits = int(effective, 16)
    return tuple(name for name, number in NEEDED_CAPABILITIES.items() if not bits >> number & 1)


def _hierarchy(mounts: Path) -> tuple[Hierarchy, Path | None]:
    try:
        return unified_mount(mounts)
    except (OSError, ValueError):
        return Hierarchy.LEGACY, None


def _bpf_refusal() -> str:
    """Ask for a map of no type: a kernel that lets us use bpf(2) finds the request invalid."""
    number = _BPF_SYSCALL.get(platform.machine())
    if number is None:
        return f"machine {platform.machine()} is not supported"
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = ctypes.create_string_buffer(72)
    libc.syscall(ctypes.c_long(number), ctypes.c_int(_BPF_MAP_CREATE), attributes, ctypes.c_uint(len(attributes)))
    code = ctypes.get_errno()
    return "" if code == errno.EINVAL else os.strerror(code)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
