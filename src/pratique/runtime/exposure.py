"""Facts about who can command the engine: its processes, the sockets it listens on, the files that lead to it.

Nothing here raises: what this user may not see is reported as not there. Source: proc(5), dockerd(8).
"""

import contextlib
import grp
import ipaddress
import json
import pwd
import re
import socket
import stat
import struct
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

CONTAINERD_SOCKETS: Final = (
    Path("/run/containerd/containerd.sock"),
    Path("/run/docker/containerd/containerd.sock"),
)
_ENGINE_NAMES: Final = frozenset({"dockerd", "dockerd-ce"})
_LISTEN: Final = "0A"
_MAX_CONFIG_BYTES: Final = 1 << 20
_CONNECT_S: Final = 2.0
_CREDENTIALS: Final = struct.Struct("3i")
"""``struct ucred``: pid, uid, gid"""
_SOCKET_LINK: Final = re.compile(r"socket:\[(\d+)\]")


class Listener(Struct, frozen=True):
    """A TCP address that a process listens on."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class EngineProcess(Struct, frozen=True):
    """A running ``dockerd``."""

    pid: int
    arguments: tuple[str, ...]
    listeners: tuple[Listener, ...]

    def option(self, name: str) -> tuple[str, ...]:
        """Return the values of an option of the command line: ``--name VALUE`` or ``--name=VALUE``; ``""`` for none."""
        values: list[str] = []
        words = self.arguments[1:]
        for word, following in zip_longest(words, words[1:], fillvalue=""):
            head, equals, value = word.partition("=")
            if head == f"--{name}":
                values.append(value if equals else "" if following.startswith("-") else following)
        return tuple(values)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses named on the command line: ``--host ADDRESS``, ``-H ADDRESS``, ``-HADDRESS``."""
        short = [
            word.removeprefix("-H").removeprefix("=") or following
            for word, following in zip_longest(self.arguments[1:], self.arguments[2:], fillvalue="")
            if word.startswith("-H")
        ]
        return (*self.option("host"), *short)

    @property
    def config_file(self) -> str:
        """The configuration file named on the command line, or empty."""
        return next(iter(self.option("config-file")), "")


class SocketFacts(Struct, frozen=True):
    """A unix socket and who may open it."""

    path: str
    owner: str
    group: str
    mode: int
    members: tuple[str, ...]
    """Users of the group, beside the owner."""


def engine_processes(proc: Path = Path("/proc")) -> tuple[EngineProcess, ...]:
    """Return the engines that run, with what they listen on as far as this user may see it."""
    found = []
    for directory in proc.iterdir():
        if directory.name.isdigit() and _read(directory / "comm").strip() in _ENGINE_NAMES:
            arguments = tuple(_read(directory / "cmdline").split("\0")[:-1])
            found.append(EngineProcess(int(directory.name), arguments, _listeners(directory)))
    return tuple(sorted(found, key=lambda engine: engine.pid))


def only_behind(docker_host: str, engines: tuple[EngineProcess, ...]) -> tuple[EngineProcess, ...]:
    """Return the engine that made the socket of an address, or all where that cannot be told (SO_PEERCRED, unix(7))."""
    if docker_host.startswith("unix://"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(_CONNECT_S)
            stream.connect(docker_host.removeprefix("unix://"))
            credentials = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            pid = _CREDENTIALS.unpack(credentials)[0]
            return tuple(engine for engine in engines if engine.pid == pid) or engines
    return engines


def answers(path: Path) -> bool:
    """Tell whether somebody accepts connections on a unix socket."""
    try:
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(_CONNECT_S)
            stream.connect(str(path))
    except OSError:
        return False
    return True


def socket_facts(path: Path) -> SocketFacts | None:
    """Return who may open a socket; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISSOCK(status.st_mode):
        return None
    owner, group, members = str(status.st_uid), str(status.st_gid), set[str]()
    with contextlib.suppress(KeyError):
        owner = pwd.getpwuid(status.st_uid).pw_name
    with contextlib.suppress(KeyError):
        entry = grp.getgrgid(status.st_gid)
        group, members = entry.gr_name, set(entry.gr_mem)
    members |= {user.pw_name for user in pwd.getpwall() if user.pw_gid == status.st_gid}
    return SocketFacts(
        path=str(path),
        owner=owner,
        group=group,
        mode=stat.S_IMODE(status.st_mode),
        members=tuple(sorted(members - {owner})),
    )


def read_engine_config(path: Path) -> dict[str, Any] | str:
    """Return the engine's ``daemon.json``, ``{}`` when there is none, or why it cannot be read."""
    try:
        with path.open("rb") as stream:
            document = json.loads(stream.read(_MAX_CONFIG_BYTES) or b"{}")
    except FileNotFoundError:
        return {}
    except OSError as error:
        return error.strerror or str(error)
    except (ValueError, RecursionError) as error:
        return f"not valid JSON: {error}"
    return document if isinstance(document, dict) else "not a JSON object"


def parse_listeners(table: str, inodes: Iterable[int]) -> tuple[Listener, ...]:
    """Return the listening sockets with these inodes out of ``/proc/PID/net/tcp`` or ``tcp6``."""
    wanted = set(inodes)
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN and fields[9].isdigit() and int(fields[9]) in wanted:
            address, _, port = fields[1].partition(":")
            found.append(Listener(_address(address), int(port, 16)))
    return tuple(found)


def _address(text: str) -> str:
    """Turn the kernel's notation, words of four bytes in the machine's order (little-endian), into an address."""
    packed = b"".join(bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8))
    return str(ipaddress.ip_address(packed))


def _listeners(process: Path) -> tuple[Listener, ...]:
    inodes = set()
    with contextlib.suppress(OSError):
        for entry in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                if match := _SOCKET_LINK.fullmatch(str(entry.readlink())):
                    inodes.add(int(match[1]))
    tables: Sequence[str] = [_read(process / "net" / name) for name in ("tcp", "tcp6")]
    listeners = {listener for table in tables for listener in parse_listeners(table, inodes)}
    return tuple(sorted(listeners, key=str))


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
