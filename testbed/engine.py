"""A Docker Engine of one's own, to be thrown away.

It has its own containerd, data, sockets, configuration, cgroup parent and network namespace; the API listens without
authentication on loopback of the host as well, as on so many real hosts.
"""

import contextlib
import http.client
import json
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import docker

from testbed import leftovers
from testbed.namespace import Namespace

Cgroups = Literal["hybrid", "v2"]

BRIDGE: Final = "10.213.0.1/24"
BRIDGE6: Final = "fd00:213::/64"
"""The default bridge's networks. They exist in the engine's namespace alone, so each engine has the same."""

_PRIVATE_V2: Final = (
    "mount --make-private /sys/fs/cgroup && umount --recursive --lazy /sys/fs/cgroup"
    " && mount -t cgroup2 none /sys/fs/cgroup"
)
_READY_S: Final = 60.0


class ThrowAwayEngine:
    """A running engine, as a context manager.

    :param cgroups: ``hybrid``: cgroup v1 with the unified hierarchy beside it, as this machine mounts them;
        ``v2``: a private mount namespace in which ``/sys/fs/cgroup`` is cgroup2
    :param dns: the resolvers that containers are given
    :param daemon_json: what the engine's configuration file holds at first
    """

    def __init__(
        self,
        *,
        cgroups: Cgroups = "hybrid",
        dns: tuple[str, ...] = (),
        daemon_json: Mapping[str, Any] | None = None,
    ) -> None:
        self.cgroups = cgroups
        self.dns = dns
        self.tag = secrets.token_hex(3)
        self.folder = leftovers.ROOT / self.tag
        self.socket = self.folder / "docker.sock"
        self.data_root = self.folder / "data"
        self.daemon_json = self.folder / "daemon.json"
        self.cgroup_parent = f"/pratique-{self.tag}"
        self.plugin_name = f"pratique-{self.tag}"
        """Unique, since every engine looks in ``/run/docker/plugins``."""
        self.pin_dir = Path(f"/sys/fs/bpf/pratique-{self.tag}")
        self._first_configuration = dict(daemon_json or {})
        self._dockerd: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The API on the unix socket, as in ``DOCKER_HOST``."""
        return f"unix://{self.socket}"

    @property
    def tcp_url(self) -> str:
        """The API without authentication on the host's loopback."""
        return f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def pid(self) -> int:
        """The process id of ``dockerd``."""
        assert self._dockerd is not None
        return self._dockerd.pid

    @property
    def log(self) -> str:
        """What ``dockerd`` said so far."""
        return (self.folder / "dockerd.log").read_text(errors="replace")

    def client(self, *, tcp: bool = False, timeout: int = 60) -> docker.DockerClient:
        """Return a client of the docker SDK; close it after use."""
        return docker.DockerClient(base_url=self.tcp_url if tcp else self.url, timeout=timeout)

    def options(self, state: Path | None = None) -> dict[str, str]:
        """Return the ``PRATIQUE_*`` environment that points Pratique at this engine.

        :param state: where Pratique may keep its files; by default a folder that ends with the engine
        """
        state = state or self.folder / "pratique"
        return {
            "PRATIQUE_DOCKER_HOST": self.url,
            "PRATIQUE_STATE_DIR": str(state / "state"),
            "PRATIQUE_RUN_DIR": str(state / "run"),
            "PRATIQUE_CGROUP_PARENT": self.cgroup_parent,
            "PRATIQUE_PIN_DIR": str(self.pin_dir),
            "PRATIQUE_PLUGIN_NAME": self.plugin_name,
            "PRATIQUE_PLUGIN_DIR": "/run/docker/plugins",
            "PRATIQUE_DAEMON_JSON": str(self.daemon_json),
            "PRATIQUE_CONSOLE": "off",
        }

    def __enter__(self) -> Self:
        leftovers.sweep()
        leftovers.claim(self.tag)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.daemon_json.write_text(json.dumps(self._first_configuration))
        try:
            self.network = Namespace(self.tag, mounts=_PRIVATE_V2 if self.cgroups == "v2" else "")
            self._containerd = self._start_containerd()
            self.start()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._keep_logs()
        self._listener.close()
        leftovers.end(self.tag)
        for process in (self._dockerd, getattr(self, "_containerd", None)):
            if process is not None:
                process.wait()
        if hasattr(self, "network"):
            self.network.close()

    def start(self) -> None:
        """Start ``dockerd`` and wait until it answers.

        :raises RuntimeError: with the end of its log, when it does not
        """
        with (self.folder / "dockerd.log").open("ab") as log:
            # LISTEN_PID has to be dockerd's own, so a shell sets it and then becomes dockerd: sd_listen_fds(3)
            script = 'exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec dockerd "$@"'
            self._dockerd = self.network.start(
                ["sh", "-c", script, "sh", *self._arguments()], stdin=self._listener.fileno(), stdout=log, stderr=log
            )
        deadline = time.monotonic() + _READY_S
        while not self.answers():
            if self._dockerd.poll() is not None or time.monotonic() > deadline:
                msg = f"dockerd did not get ready:\n{self.log[-3000:]}"
                raise RuntimeError(msg)
            time.sleep(0.05)

    def stop(self, *, signal_number: int = signal.SIGTERM) -> None:
        """End ``dockerd`` alone; containerd, and with ``live-restore`` the containers, stay."""
        assert self._dockerd is not None
        self._dockerd.send_signal(signal_number)
        self._dockerd.wait(timeout=60)

    def restart(self) -> None:
        """Stop and start ``dockerd``, as an upgrade does."""
        self.stop()
        self.start()

    def reload(self) -> None:
        """Make ``dockerd`` read its configuration file again."""
        assert self._dockerd is not None
        self._dockerd.send_signal(signal.SIGHUP)

    def answers(self) -> bool:
        """Whether the API answers."""
        connection = http.client.HTTPConnection("localhost", timeout=5)
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as stream:
            stream.settimeout(5)
            try:
                stream.connect(str(self.socket))
                connection.sock = stream
                connection.request("GET", "/_ping")
                return connection.getresponse().status == http.HTTPStatus.OK
            except OSError:
                return False

    def _arguments(self) -> list[str]:
        return [
            f"--containerd={self.folder}/containerd.sock",
            f"--data-root={self.data_root}",
            f"--exec-root={self.folder}/exec",
            f"--pidfile={self.folder}/docker.pid",
            f"--config-file={self.daemon_json}",
            f"--host=unix://{self.socket}",
            "--host=fd://",
            f"--cgroup-parent={self.cgroup_parent}",
            f"--bip={BRIDGE}",
            "--ipv6",
            f"--fixed-cidr-v6={BRIDGE6}",
            "--userland-proxy=false",
            "--storage-driver=overlay2",
            *(f"--dns={address}" for address in self.dns),
        ]

    def _start_containerd(self) -> subprocess.Popen[bytes]:
        configuration = self.folder / "containerd.toml"
        configuration.write_text(
            "version = 2\n"
            f'root = "{self.folder}/containerd"\n'
            f'state = "{self.folder}/containerd-state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\naddress = "{self.folder}/containerd.sock"\n'
        )
        with (self.folder / "containerd.log").open("ab") as log:
            return self.network.start(["containerd", f"--config={configuration}"], stdout=log, stderr=log)

    def _keep_logs(self) -> None:
        for name in ("dockerd.log", "containerd.log"):
            log = self.folder / name
            if log.exists():
                shutil.copy(log, leftovers.ROOT / f"{self.tag}.{name}")
