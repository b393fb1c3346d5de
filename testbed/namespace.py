"""A network namespace (and, if wanted, a mount namespace) that lives as long as one process of ours.

No name under ``/run/netns`` is used: a namespace that is held by a process cannot outlive it, whatever happens.
Entered with ``nsenter``, since ``ip netns exec`` mounts a new ``/sys`` and hides the cgroups.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

MARK: Final = "PRATIQUE_TESTBED"
"""Environment variable that every process of the test bed carries; its value is the tag of the owner."""


class Namespace:
    """A namespace of our own. ``tag`` marks every process started in it, see :func:`testbed.leftovers.end`."""

    def __init__(self, tag: str, *, mounts: str = "") -> None:
        """Create it.

        :param mounts: a shell line of ``mount`` commands: gives the namespace private mounts and runs the line in them
        """
        self.tag = tag
        flags = ["--net"] + (["--mount", "--propagation", "slave"] if mounts else [])
        script = f"set -e; ip link set lo up; {mounts or ':'}; echo ready; exec sleep infinity"
        self._keeper = subprocess.Popen(
            ["unshare", *flags, "sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env=self._environment(),
        )
        assert self._keeper.stdout is not None
        with self._keeper.stdout as output:
            if output.readline() != b"ready\n":
                self._keeper.wait()
                msg = f"namespace {tag} could not be made: see the lines above"
                raise RuntimeError(msg)
        self._enter = ["nsenter", f"--target={self.pid}", "--net", *(["--mount"] if mounts else [])]

    @property
    def pid(self) -> int:
        """The process that holds the namespace."""
        return self._keeper.pid

    @property
    def net(self) -> Path:
        """The namespace as a file, for ``setns``."""
        return Path(f"/proc/{self.pid}/ns/net")

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs ``command`` in here; it keeps its process id."""
        return [*self._enter, *command]

    def run(self, *command: str) -> str:
        """Run a command in here and return its output.

        :raises RuntimeError: with what it said, when it failed
        """
        done = subprocess.run(
            self.command(command), capture_output=True, text=True, check=False, env=self._environment()
        )
        if done.returncode:
            msg = f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip() or done.returncode}"
            raise RuntimeError(msg)
        return done.stdout

    def start(
        self,
        command: Sequence[str],
        *,
        stdin: int | IO[Any] = subprocess.DEVNULL,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process in here, marked with the tag."""
        return subprocess.Popen(
            self.command(command),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            env=self._environment(),
        )

    def sysctl(self, key: str, value: str) -> None:
        """Set a ``net.*`` key of this namespace."""
        self.run("sh", "-c", f"echo {value} >/proc/sys/{key.replace('.', '/')}")

    def close(self) -> None:
        """Let the namespace go; it ends with the last process in it."""
        self._keeper.kill()
        self._keeper.wait()

    def _environment(self) -> dict[str, str]:
        return {**os.environ, MARK: self.tag}


def link(one: Namespace, other: Namespace, *, names: tuple[str, str]) -> None:
    """Join two namespaces by a veth pair with these interface names; both ends are up."""
    one.run("ip", "link", "add", names[0], "type", "veth", "peer", "name", names[1], "netns", str(other.pid))
    for namespace, name in ((one, names[0]), (other, names[1])):
        namespace.sysctl(f"net.ipv6.conf.{name}.accept_dad", "0")
        namespace.run("ip", "link", "set", name, "up")
