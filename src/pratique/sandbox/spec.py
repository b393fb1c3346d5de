"""The OCI runtime configuration of a run (OCI runtime-spec 1.0.2, config.md and config-linux.md). Pure."""

import posixpath
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from pratique.sandbox.account import Account
from pratique.sandbox.job import Job
from pratique.sandbox.seccomp import profile

MERGED: Final = "/run/merged"
SECCOMP_SOCKET: Final = "/run/seccomp.sock"

_IDS: Final = 65_536
_PERIOD_US: Final = 100_000
_SHM_BYTES: Final = 64 << 20
_FILES: Final = 65_536
_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

CAPABILITIES: Final = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
)
"""What honest images need: to hand their data to a user of their own and become it, and to end their children. They
hold in the container's user namespace only. Of an engine's usual set NET_RAW, NET_BIND_SERVICE, MKNOD, SYS_CHROOT,
SETPCAP, SETFCAP and AUDIT_WRITE are left out."""
_SYSCTL: Final = {
    "net.ipv4.ip_unprivileged_port_start": "0",
    "net.ipv4.ping_group_range": f"0 {_IDS - 1}",
}
"""As engines have it: every user may serve port 80 and ping."""

_MASKED: Final = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/cgroup",
)
_READ_ONLY: Final = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


class Start(Struct, frozen=True):
    """What is started, and as whom."""

    command: tuple[str, ...]
    environment: tuple[str, ...]
    directory: str
    account: Account


def command_of(job: Job) -> tuple[str, ...]:
    """Return the program and its arguments; none when the image names none."""
    config = job.config
    command = job.options.command or (*(config.entrypoint or ()), *(config.cmd or ()))
    return tuple(each.replace("\0", "") for each in command)


def start_of(job: Job, account: Account) -> Start:
    """Return what the image's configuration and the options come to."""
    config = job.config
    environment = [each for each in config.env or () if "=" in each.lstrip("=") and "\0" not in each]
    names = {each.partition("=")[0] for each in environment}
    given = (_PATH, f"HOSTNAME={job.container[:12]}", f"HOME={account.home}")
    environment += [each for each in given if each.partition("=")[0] not in names]
    directory = posixpath.normpath("/" + (config.working_dir or "").replace("\0", "").lstrip("/"))
    return Start(command_of(job), tuple(environment), directory, account)


def runtime_spec(job: Job, start: Start, *, open_files: int, has_swap: bool) -> dict[str, Any]:
    """Return the content of ``config.json``.

    :param open_files: this process's own hard limit, which a process in a user namespace may not raise
    """
    capabilities = list(CAPABILITIES)
    ids = [{"containerID": 0, "hostID": job.first_id, "size": _IDS}]
    account = start.account
    files = min(open_files, _FILES)
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": account.uid, "gid": account.gid, "additionalGids": list(account.groups)},
            "args": list(start.command),
            "env": list(start.environment),
            "cwd": start.directory,
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
            "rlimits": [
                {"type": "RLIMIT_NOFILE", "hard": files, "soft": files},
                {"type": "RLIMIT_CORE", "hard": 0, "soft": 0},
            ],
            "noNewPrivileges": True,
            "oomScoreAdj": 1000,
        },
        "root": {"path": MERGED, "readonly": False},
        "hostname": job.container[:12],
        "mounts": _mounts(),
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup", "user")],
            "uidMappings": ids,
            "gidMappings": ids,
            "cgroupsPath": f"/{job.name}/{job.container}",
            "resources": _resources(job, has_swap=has_swap),
            "rootfsPropagation": "private",
            "sysctl": _SYSCTL,
            "seccomp": profile(SECCOMP_SOCKET, skip_sleeps=job.options.skip_sleeps),
            "maskedPaths": list(_MASKED),
            "readonlyPaths": list(_READ_ONLY),
        },
    }


def has_swap(swaps: Path = Path("/proc/swaps")) -> bool:
    """Tell whether this host swaps; where it does not, the kernel may lack the bound for it."""
    try:
        return len(swaps.read_text().splitlines()) > 1
    except OSError:
        return False


def _mounts() -> list[dict[str, Any]]:
    careful = ["nosuid", "noexec", "nodev"]
    return [
        _mount("/proc", "proc", careful),
        _mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        _mount("/dev/shm", "tmpfs", ["nosuid", "nodev", "mode=1777", f"size={_SHM_BYTES}"]),  # noqa: S108  # its own
        _mount("/dev/mqueue", "mqueue", careful),
        _mount("/sys", "sysfs", [*careful, "ro"]),
    ]


def _mount(target: str, kind: str, options: list[str]) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": kind, "options": options}


def _resources(job: Job, *, has_swap: bool) -> dict[str, Any]:
    options = job.options
    memory: dict[str, int] = {"limit": options.memory_bytes + options.disk_bytes + _SHM_BYTES}
    if has_swap:
        memory["swap"] = memory["limit"]
    return {
        "devices": [{"allow": False, "access": "rwm"}],
        "memory": memory,
        "cpu": {"quota": int(options.cpus * _PERIOD_US), "period": _PERIOD_US},
        "pids": {"limit": options.pids},
    }
