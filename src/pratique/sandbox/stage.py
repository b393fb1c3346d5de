"""One run from its first mount to its last process, inside the keeper."""

import contextlib
import json
import os
import resource
import select
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from msgspec.structs import replace

from pratique.errors import SandboxError
from pratique.model import Ending, Recording
from pratique.sandbox import kernel
from pratique.sandbox.account import Account, find_account
from pratique.sandbox.bait import SOCKET, plant
from pratique.sandbox.dress import inside, is_free_for_directory, make_directories, place_file, trust
from pratique.sandbox.instruments import Instruments
from pratique.sandbox.job import Job
from pratique.sandbox.leftovers import end_processes
from pratique.sandbox.meters import Meters
from pratique.sandbox.network import CONTAINER4, GATEWAY4, connect
from pratique.sandbox.sinkhole.authority import Authority
from pratique.sandbox.sinkhole.client import Sinkhole
from pratique.sandbox.sinkhole.events import Begin
from pratique.sandbox.spec import MERGED, SECCOMP_SOCKET, Start, command_of, has_swap, runtime_spec, start_of
from pratique.text import printable

_STAGE: Final = "/run"
"""A memory file system is mounted here, in the keeper's own mount namespace: no path of the host's changes."""
_BUNDLE: Final = Path(_STAGE) / "bundle"
_STATE: Final = Path(_STAGE) / "runc"
_UPPER: Final = Path(_STAGE) / "upper"
_MAX_FILE: Final = 1 << 20
_TAKES_S: Final = 60.0
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_IMAGE_FAULTS: Final = ("exec: ", "exec user process", "chdir to cwd", "mkdir ", "not a directory")
"""In what runc says when the program or the working directory is to blame, not this host."""
_OF_THE_SYSTEM: Final = ("dev", "proc", "sys")
_PATH_OF_ACCOUNTS: Final = ("/etc/passwd", "/etc/group")


class Stage:
    """The sealed room of one run. A context manager: when it is left, nothing of the run lives.

    :param caller: a descriptor that ends when nobody waits for the run any more
    """

    def __init__(self, job: Job, caller: int) -> None:
        self._job = job
        self._caller = caller
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def play(self) -> Recording:
        """Run the image.

        :raises SandboxError: when this host cannot
        """
        try:
            return self._play()
        except OSError as error:
            msg = f"the sandbox cannot be set up: {error.strerror or error}"
            raise SandboxError(msg) from error

    def _play(self) -> Recording:
        job = self._job
        tree = os.open(job.tree, _DIRECTORY)
        self._undo.callback(os.close, tree)
        start = self._find_start(tree)
        begun = time.time()
        if isinstance(start, str):
            return Recording(
                job.image, begun, 0.0, command_of(job), Ending.FAILED, output=start.encode(), unread=job.unread
            )
        kernel.become_subreaper()
        authority = Authority.create()
        bait = self._dress(tree, start, authority)
        self._mount()
        begin = Begin(authority.dump(), job.options.max_events)
        sinkhole = Sinkhole(self._undo, self._engine_socket(), begin)
        instruments = Instruments(job, self._undo, bait, MERGED)
        sinkhole.wait_ready()
        instruments.listen_to(sinkhole)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._undo.callback(listener.close)
        listener.bind(SECCOMP_SOCKET)
        listener.listen(1)
        instruments.answer_calls(listener)
        self._undo.callback(end_processes, job.name)
        failure = self._create(start, instruments)
        if failure:
            return instruments.recording(
                started_at=begun, duration_s=0.0, command=start.command, ending=Ending.FAILED, output=failure
            )
        init = int((_BUNDLE / "pid").read_text())
        instruments.watch_memory(init)
        connect(init, sinkhole.pid)
        return self._run(init, start, instruments)

    def _run(self, init: int, start: Start, instruments: Instruments) -> Recording:
        begun, clock = time.time(), time.monotonic()
        self._runc("start", self._job.container)
        exited, code = self._wait(init, clock + self._job.options.for_s)
        duration = time.monotonic() - clock
        meters = Meters.read(self._job)
        end_processes(self._job.name)
        ending = Ending.MEMORY if meters.out_of_memory else Ending.EXITED if exited else Ending.TIME
        return instruments.recording(
            started_at=begun,
            duration_s=duration,
            command=start.command,
            ending=ending,
            exit_code=code if exited else 0,
            cpu_s=meters.cpu_s,
            waited_s=meters.waited_s,
            peak_memory=meters.peak_memory,
        )

    def _find_start(self, tree: int) -> Start | str:
        """Return what to start, or why it cannot be."""
        passwd, group = (self._text(tree, path) for path in _PATH_OF_ACCOUNTS)
        account = find_account(self._job.config.user or "", passwd, group)
        if account is None:
            return f"the image has no user {self._job.config.user!r}"
        start = start_of(self._job, account)
        if not start.command or not start.command[0]:
            return "the image names no program to start"
        for name in _OF_THE_SYSTEM:
            if not is_free_for_directory(tree, name):
                return f"the image has something else than a directory at /{name}"
        try:
            directory = make_directories(tree, start.directory, (self._job.first_id, self._job.first_id))
        except OSError as error:
            return f"the image's working directory cannot be: {error.strerror}"
        try:
            # As it is without links: what runc resolves must not lead to what it mounts or has open itself.
            place = inside(tree, directory)
        finally:
            os.close(directory)
        if place.split("/")[1:2] and place.split("/")[1] in _OF_THE_SYSTEM:
            return f"the image's working directory lies in /{place.split('/')[1]}"
        return replace(start, directory=place or "/")

    def _text(self, tree: int, path: str) -> str:
        try:
            opened = kernel.open_in_root(tree, path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return ""
        with os.fdopen(opened, "rb") as stream:
            return stream.read(_MAX_FILE).decode(errors="replace")

    def _dress(self, tree: int, start: Start, authority: Authority) -> dict[str, str]:
        """Add what an engine adds to an image, and the bait; return that."""
        first = self._job.first_id
        owner = (first, first)
        name = self._job.container[:12]
        place_file(tree, "/etc/resolv.conf", f"nameserver {GATEWAY4}\n".encode(), owner)
        place_file(tree, "/etc/hosts", f"127.0.0.1\tlocalhost\n::1\tlocalhost\n{CONTAINER4}\t{name}\n".encode(), owner)
        place_file(tree, "/etc/hostname", f"{name}\n".encode(), owner)
        trust(tree, authority.certificate, owner)
        account = start.account
        homes = [] if account == Account() else [(account.home, account.uid, account.gid)]
        return plant(tree, first, homes, self._job.container)

    def _mount(self) -> None:
        options = self._job.options
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
        kernel.mount("tmpfs", _STAGE, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755,size=16m")
        for path in (_BUNDLE, _STATE, _UPPER, Path(MERGED)):
            path.mkdir()
        bounds = f"size={options.disk_bytes},nr_inodes={options.files},mode=700"
        kernel.mount("tmpfs", str(_UPPER), "tmpfs", kernel.MS_NODEV, bounds)
        root = Path(self._job.tree).stat()
        for name in ("files", "work"):
            (_UPPER / name).mkdir()
        os.chown(_UPPER / "files", root.st_uid, root.st_gid)
        (_UPPER / "files").chmod(root.st_mode & 0o7777)
        (Path(_STAGE) / "tree").symlink_to(self._job.tree)  # a path of its own may hold commas and colons
        layers = f"lowerdir={_STAGE}/tree,upperdir={_UPPER}/files,workdir={_UPPER}/work"
        kernel.mount("overlay", MERGED, "overlay", kernel.MS_NODEV, layers)

    def _engine_socket(self) -> socket.socket:
        """Return the listening bait: a socket where the engine's would be."""
        first = self._job.first_id
        merged = os.open(MERGED, _DIRECTORY)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            directory_path, _, name = SOCKET.rpartition("/")
            directory = make_directories(merged, directory_path, (first, first))
            try:
                path = Path(f"/proc/self/fd/{directory}/{name}")
                listener.bind(str(path))
                os.chown(path, first, first, follow_symlinks=False)
                path.chmod(0o666)  # else only an attacker who is root would bite
            finally:
                os.close(directory)
        except OSError:
            pass  # the image has something of its own there
        finally:
            os.close(merged)
        return listener

    def _create(self, start: Start, instruments: Instruments) -> bytes:
        """Make the container, stopped before its program; return what is wrong with the image, or nothing."""
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        spec = runtime_spec(self._job, start, open_files=files, has_swap=has_swap())
        (_BUNDLE / "config.json").write_text(json.dumps(spec))
        log = _BUNDLE / "log"
        with instruments.output() as pipe:
            places = ("--bundle", str(_BUNDLE), "--pid-file", str(_BUNDLE / "pid"))
            done = subprocess.run(  # noqa: S603  # a fixed program; what the image says is in the specification
                [*_runc_command(), "--log", str(log), "--log-format", "json", "create", *places, self._job.container],
                stdin=subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
                timeout=_TAKES_S,
                check=False,
            )
        if done.returncode == 0:
            return b""
        message = _last_message(log)
        if any(text in message for text in _IMAGE_FAULTS):
            return message.encode()
        msg = f"runc cannot make the container: {message}"
        raise SandboxError(msg)

    def _runc(self, *arguments: str) -> None:
        command = [*_runc_command(), *arguments]
        done = subprocess.run(  # noqa: S603  # a fixed program and names of ours
            command, capture_output=True, timeout=_TAKES_S, check=False
        )
        if done.returncode:
            msg = f"runc {arguments[0]} failed: {' '.join(done.stderr.decode(errors='replace').split())[:300]}"
            raise SandboxError(msg)

    def _wait(self, init: int, deadline: float) -> tuple[bool, int]:
        """Wait for the first process, the deadline or the caller's end; return whether it ended, and its exit code."""
        process = os.pidfd_open(init)
        try:
            poller = select.poll()
            poller.register(process, select.POLLIN)
            poller.register(self._caller, select.POLLIN | select.POLLHUP)
            events = dict(poller.poll(max(0.0, deadline - time.monotonic()) * 1000))
        finally:
            os.close(process)
        if self._caller in events:
            msg = "the run was called off"
            raise SandboxError(msg)
        if not events:
            return False, 0
        _, status = os.waitpid(init, 0)
        code = os.waitstatus_to_exitcode(status)
        return True, code if code >= 0 else 128 - code


def _runc_command() -> list[str]:
    program = shutil.which("runc")
    if program is None:
        msg = "runc is not installed"
        raise SandboxError(msg, hint="it comes with every container engine: apt-get install runc")
    return [program, "--root", str(_STATE)]


def _last_message(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    with contextlib.suppress(ValueError, IndexError, KeyError, TypeError):
        return printable(" ".join(str(json.loads(lines[-1])["msg"]).split()))[:1000]
    return "it does not say why"
