"""Puts the guard in front of the engine's API, and takes it away again.

The engine learns of its authorization plugins from ``daemon.json``, which it reads again at SIGHUP. A plugin that is
named there and does not answer ends the engine after 15 s, so nothing is written before the plugin answers, and all is
undone when the engine does not ask the guard in the end. These functions block: call them from a thread when the guard
runs in this very process.
"""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from pratique.errors import EngineError, HostError, InputError
from pratique.guard import daemon_json
from pratique.guard.request import PROBE_TARGET
from pratique.guard.server import alive

_BACKUP_SUFFIX: Final = ".before-pratique"
_MAX_BYTES: Final = 1 << 20
_PLUGIN_FOLDERS: Final = ("/run/docker/plugins", "/etc/docker/plugins", "/usr/lib/docker/plugins")
"""Where engines look for plugins: sockets in the first, files that name one in the others (moby, ``pkg/plugins``)."""
_PID_FILE: Final = Path("/var/run/docker.pid")
_SETTLE_S: Final = 20.0
_ENGINE_NAMES: Final = frozenset({"dockerd", "dockerd-ce"})


class Target(Struct, frozen=True):
    """An engine and the plugin that it is to ask."""

    daemon_json: Path
    docker_host: str
    plugin_name: str
    plugin_socket: Path


class Status(Struct, frozen=True):
    """How far the guard is in place; it guards when all three hold."""

    answers: bool
    """Somebody answers on the plugin's socket."""
    configured: bool
    """``daemon.json`` names the plugin, so that the engine asks it after a restart too."""
    asked: bool
    """The running engine asks the guard."""
    engine_version: str = ""

    @property
    def blind_to_builds(self) -> bool:
        """Whether the engine serves BuildKit's gRPC outside its authorization plugins (since 29.2)."""
        numbers = [int(number) for number in re.findall(r"\d+", self.engine_version)[:2]]
        return numbers >= [29, 2]


def status(target: Target) -> Status:
    """Tell how far the guard is in place.

    :raises InputError: when ``daemon.json`` cannot be read as the engine reads it
    :raises EngineError: when the engine does not answer
    """
    text = _read(_file(target))
    with _naming(target):
        configured = text is not None and target.plugin_name in daemon_json.plugins(text)
    asked = _asks(target)
    version = _version(target) if asked or not configured else ""  # an engine whose plugin is gone answers after 15 s
    return Status(alive(target.plugin_socket), configured, asked, version)


def install(target: Target) -> None:
    """Have the engine ask the guard, now and after every restart.

    :raises HostError: when the plugin does not answer, the engine is not found, or it does not take the change
    :raises InputError: when ``daemon.json`` is not valid; it is left untouched
    """
    if not alive(target.plugin_socket):
        msg = f"no guard answers on {target.plugin_socket}, and an engine whose plugin does not answer ends itself"
        raise HostError(msg, hint="start it first: 'pratique up' or 'pratique agent'")
    _check_place(target)
    pid = engine_pid(target.docker_host)
    _check_command_line(pid, target)
    file = _file(target)
    before = _read(file)
    with _naming(target):
        after = daemon_json.with_plugin(before, target.plugin_name)
    if after != before:
        _validate(pid, file, after)
        if before is not None:
            _write(_backup(file), before, like=file)
        _write(file, after, like=file)
    with contextlib.suppress(ProcessLookupError):  # it ended just now
        os.kill(pid, signal.SIGHUP)
    if not _settles(target, asked=True):
        uninstall(target)
        msg = f"the engine did not begin to ask the plugin {target.plugin_name!r}; the change was undone"
        raise HostError(msg, hint="the engine's log tells why")


def uninstall(target: Target) -> None:
    """Have the engine stop asking the guard, and give ``daemon.json`` back as it was.

    A file that somebody edited in between only loses the plugin's name; one that is gone comes back as it was.

    :raises HostError: when the file cannot be written or the engine goes on asking
    :raises InputError: when ``daemon.json`` is not valid
    """
    file = _file(target)
    backup = _backup(file)
    now, before = _read(file), _read(backup)
    if now is not None:
        with _naming(target, "mend it, then run 'pratique guard uninstall'; till then the engine waits for a guard"):
            if now == daemon_json.with_plugin(before, target.plugin_name):
                rest = before
            else:
                rest = daemon_json.without_plugin(now, target.plugin_name)
        if rest is None:
            file.unlink()
        elif rest != now:
            _write(file, rest, like=file)
    elif before is not None:  # an engine that was told of the file by its command line does not go on without it
        _write(file, before, like=backup)
    backup.unlink(missing_ok=True)
    # an engine that is not running reads the file when it starts
    with contextlib.suppress(EngineError, ProcessLookupError):
        os.kill(engine_pid(target.docker_host), signal.SIGHUP)
        if not _settles(target, asked=False):
            msg = f"the engine still asks the plugin {target.plugin_name!r}"
            raise HostError(msg, hint="restart the engine")


def engine_pid(docker_host: str) -> int:
    """Return the process id of the engine behind an address.

    It is the unix socket's owner, else (socket activation, TCP) the one in its pid file.

    :raises EngineError: when there is no such process
    """
    address = urlsplit(docker_host)
    candidates: list[int] = []
    try:
        if address.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(5)
                peer.connect(address.path)
                owner = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
                candidates.append(int(struct.unpack("3i", owner)[0]))
        candidates.append(int(_PID_FILE.read_text()))
    except (OSError, ValueError):
        pass  # where nobody listens, the pid file is another engine's or left over
    for pid in candidates:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() in _ENGINE_NAMES:
                return pid
    msg = f"no dockerd was found behind {docker_host}"
    raise EngineError(msg, hint="start the engine, or name the right one with DOCKER_HOST")


def _check_place(target: Target) -> None:
    """Refuse a plugin that the engine would not find: it would end itself."""
    sockets, *folders = (Path(folder) for folder in _PLUGIN_FOLDERS)
    name = target.plugin_name
    found = Path(os.path.realpath(target.plugin_socket))
    there = {Path(os.path.realpath(sockets)) / f"{name}.sock", Path(os.path.realpath(sockets)) / name / f"{name}.sock"}
    named = any((folder / f"{name}{suffix}").exists() for folder in folders for suffix in (".spec", ".json"))
    if found not in there and not named:
        msg = f"the engine would not find the plugin {name!r} at {target.plugin_socket}, and end itself"
        raise HostError(msg, hint=f"let PRATIQUE_PLUGIN_DIR be {sockets}")


def _check_command_line(pid: int, target: Target) -> None:
    """Refuse what the engine refuses: plugins both on its command line and in its configuration."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    if any(word.lstrip("-").startswith("authorization-plugin") for word in words):
        msg = "the engine gets its authorization plugins on the command line, so its configuration must not name any"
        raise HostError(msg, hint=f"add --authorization-plugin={target.plugin_name} there, and restart the engine")
    for number, word in enumerate(words):
        name, _, value = word.partition("=")
        if name == "--config-file":
            path = value or words[number + 1]
            if os.path.realpath(path) != str(_file(target)):
                msg = f"the engine reads {path}, not {target.daemon_json}"
                raise HostError(msg, hint=f"set PRATIQUE_DAEMON_JSON={path}")


def _version(target: Target) -> str:
    try:
        return str(json.loads(_get(target.docker_host, "/version")).get("Version", ""))
    except (ValueError, AttributeError):
        return ""  # a refusal, or a plugin that does not answer


def _asks(target: Target) -> bool:
    """Whether the engine asks the guard about a request that only the guard refuses in this way."""
    answer = _get(target.docker_host, PROBE_TARGET)
    return f"authorization denied by plugin {target.plugin_name}: guard.probe" in answer


def _settles(target: Target, *, asked: bool) -> bool:
    deadline = time.monotonic() + _SETTLE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(EngineError):
            if _asks(target) is asked:
                return True
        time.sleep(0.05)
    return False


def _get(docker_host: str, path: str) -> str:
    address = urlsplit(docker_host)
    try:
        if address.scheme == "unix":
            stream = socket.socket(socket.AF_UNIX)
            stream.settimeout(20)
            stream.connect(address.path)
        else:
            stream = socket.create_connection((address.hostname or "127.0.0.1", address.port or 2375), timeout=20)
        with contextlib.closing(http.client.HTTPConnection("localhost")) as connection:
            connection.sock = stream
            connection.request("GET", path)
            return connection.getresponse().read(_MAX_BYTES).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        msg = f"the engine at {docker_host} does not answer: {error}"
        raise EngineError(msg, hint="start it, or name the right one with DOCKER_HOST") from error


def _file(target: Target) -> Path:
    """Return the file itself, where ``daemon.json`` is a symbolic link."""
    return Path(os.path.realpath(target.daemon_json))


def _backup(file: Path) -> Path:
    return file.with_name(file.name + _BACKUP_SUFFIX)


def _read(file: Path) -> str | None:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            msg = f"{file} is larger than {_MAX_BYTES} bytes"
            raise InputError(msg)
        return content.decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file} cannot be read: {error}"
        raise InputError(msg, hint="mend it first; it was left untouched") from error


@contextlib.contextmanager
def _naming(target: Target, hint: str = "mend it first; it was left untouched") -> Iterator[None]:
    """Name the file in what is wrong with its text."""
    try:
        yield
    except InputError as error:
        msg = f"{target.daemon_json} is not a valid engine configuration: {error.what}"
        raise InputError(msg, hint=hint) from error


def _write(file: Path, text: str, *, like: Path) -> None:
    """Write a file in one step that a crash cannot halve, with the owner and mode of another (or root's, 0644)."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(text.encode())
                with contextlib.suppress(FileNotFoundError):
                    told = like.stat()
                    os.fchown(stream.fileno(), told.st_uid, told.st_gid)
                os.fchmod(stream.fileno(), stat.S_IMODE(like.stat().st_mode) if like.exists() else 0o644)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(file)
        except OSError:
            Path(name).unlink()
            raise
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        msg = f"{file} cannot be written: {error.strerror or error}"
        raise HostError(msg, hint="run as root") from error


def _validate(pid: int, file: Path, text: str) -> None:
    """Have the engine's own program judge the new configuration, where it can (23.0 and later).

    :raises InputError: with what it says
    """
    program = shutil.which("dockerd") or f"/proc/{pid}/exe"
    try:
        told = _run(program, "--help")
        if "--validate" not in told.stdout:
            return
        with tempfile.NamedTemporaryFile("w", suffix=".json") as candidate:
            candidate.write(text)
            candidate.flush()
            verdict = _run(program, "--validate", "--config-file", candidate.name)
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = f"dockerd cannot validate {file}: {error}"
        raise HostError(msg) from error
    if verdict.returncode:
        msg = f"dockerd does not take {file} with the guard in it: {verdict.stderr.strip()[-300:]}"
        raise InputError(msg, hint="mend it first; it was left untouched")


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # the engine's own program, and nothing of a client's
        [program, *arguments], capture_output=True, text=True, timeout=20, check=False
    )
