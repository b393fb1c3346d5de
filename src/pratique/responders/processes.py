"""What the processes of a container are and have open, as /proc tells it. Source: proc(5).

The processes are hostile: everything is bounded, text is taken as bytes, and no path of theirs is followed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

MAX_PROCESSES: Final = 1024
_MAX_TEXT: Final = 64 << 10
_MAX_MAPS: Final = 4 << 20
_MAX_TABLE: Final = 4 << 20
_MAX_WORDS: Final = 256
_MAX_DESCRIPTORS: Final = 256
"""Of one process: all processes together have to fit into memory."""
_STATUS: Final = frozenset({"Name", "State", "Tgid", "PPid", "Uid", "Gid", "Threads", "CapEff", "CapBnd", "Seccomp"})
_TABLES: Final = ("tcp", "tcp6", "udp", "udp6", "raw", "raw6", "unix", "packet", "arp", "route", "ipv6_route", "dev")


class Process(Struct, frozen=True):
    """One process. Of its environment the names alone: the values are often secrets."""

    pid: int
    status: dict[str, str]
    arguments: tuple[str, ...]
    program: str
    folder: str
    environment: tuple[str, ...]
    descriptors: dict[str, str]
    """Number → what it is open on."""


def pids_of(container_id: str) -> list[int]:
    """Return the processes in the cgroups of a container, the lowest number first; at most :data:`MAX_PROCESSES`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and container_id in _text(entry / "cgroup"):
            found.append(int(entry.name))
            if len(found) >= MAX_PROCESSES:
                break
    return sorted(found)


def read_process(pid: int) -> Process | None:
    """Describe a process; None when it has ended."""
    root = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in _text(root / "status").splitlines() if ":" in line)
    if not status:
        return None
    return Process(
        pid=pid,
        status={name: value.strip() for name, value in status.items() if name in _STATUS},
        arguments=tuple(_words(root / "cmdline")),
        program=_link(root / "exe"),
        folder=_link(root / "cwd"),
        environment=tuple(entry.partition("=")[0] for entry in _words(root / "environ") if "=" in entry),
        descriptors=_descriptors(root / "fd"),
    )


def read_maps(pid: int) -> bytes:
    """Return what a process has mapped into its memory."""
    return _bytes(Path(f"/proc/{pid}/maps"), _MAX_MAPS)


def network_of(pid: int) -> str:
    """Return what tells a process's network namespace from others, or ``""`` when it has ended."""
    return _link(Path(f"/proc/{pid}/ns/net"))


def read_sockets(pid: int) -> Iterator[tuple[str, bytes]]:
    """Yield the tables of sockets and routes in a process's network namespace: name, content."""
    for name in _TABLES:
        content = _bytes(Path(f"/proc/{pid}/net/{name}"), _MAX_TABLE)
        if content:
            yield name, content


def _descriptors(folder: Path) -> dict[str, str]:
    try:
        numbers = sorted(int(entry.name) for entry in folder.iterdir())[:_MAX_DESCRIPTORS]
    except OSError:
        return {}
    return {str(number): _link(folder / str(number)) for number in numbers}


def _words(path: Path) -> list[str]:
    """Return the texts in a file of /proc, each of which ends with a zero."""
    return _text(path).split("\0", _MAX_WORDS)[:-1][:_MAX_WORDS]


def _text(path: Path) -> str:
    return _bytes(path, _MAX_TEXT).decode(errors="replace")


def _bytes(path: Path, limit: int) -> bytes:
    """Return the beginning of a file of /proc; nothing when its process has ended."""
    try:
        with path.open("rb") as stream:
            return stream.read(limit)
    except OSError:
        return b""


def _link(path: Path) -> str:
    try:
        return str(path.readlink()).encode(errors="replace").decode()
    except OSError:
        return ""
