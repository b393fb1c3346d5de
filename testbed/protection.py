"""Pratique itself, as a user starts it, pointed at a throw-away engine.

It runs in the engine's namespaces: they are what a host is to an engine, with the bridge and the cgroups in them.
"""

import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import msgspec

from testbed.engine import ThrowAwayEngine

_PROGRAM: Final = Path(sys.executable).with_name("pratique")
_PATIENCE_S: Final = 90.0


class Protection:
    """A running ``pratique up`` or ``pratique agent``, as a context manager.

    :param policy: the policy document that is in force from the start
    :param console: where the console is served, ``address:port``; by default there is none
    """

    def __init__(
        self,
        engine: ThrowAwayEngine,
        policy: str,
        *,
        command: Literal["up", "agent"] = "up",
        console: str = "off",
    ) -> None:
        self.engine = engine
        self.command = command
        self._options = {**engine.options(), "PRATIQUE_CONSOLE": console}
        self.policy_path = Path(self._options["PRATIQUE_STATE_DIR"]) / "policy.yaml"
        self.log = engine.folder / "pratique.log"
        self.set_policy(policy)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def set_policy(self, policy: str) -> None:
        """Replace the policy file; a running agent takes it up by itself."""
        self.policy_path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.policy_path.with_suffix(".new")
        fresh.write_text(policy)
        fresh.rename(self.policy_path)

    def start(self, *, until: str = "protecting") -> None:
        """Start it and wait until it protects, or until it has said something else.

        :raises RuntimeError: with what it said, when it does not
        """
        said_before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = self.engine.network.start(self._command(self.command), stdout=log, stderr=log)
        self.wait_for(until, after=said_before)

    def wait_for(self, text: str, *, after: int = 0, seconds: float = _PATIENCE_S) -> None:
        """Wait until it has said something.

        :raises RuntimeError: with what it said instead
        """
        deadline = time.monotonic() + seconds
        while text not in (said := self.log.read_bytes()[after:].decode(errors="replace")):
            if not self.alive or time.monotonic() > deadline:
                msg = f"pratique {self.command} did not say {text!r}:\n{said[-3000:]}"
                raise RuntimeError(msg)
            time.sleep(0.02)

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """End it and return its exit code."""
        assert self._process is not None
        if self.alive:
            self._process.send_signal(signal_number)
        return self._process.wait(timeout=60)

    def run(self, *arguments: str, check: bool = True) -> str:
        """Run another ``pratique`` command against the same engine and return its output."""
        done = subprocess.run(self.command_line(*arguments), capture_output=True, text=True, check=False, timeout=60)
        if check and done.returncode:
            msg = f"pratique {' '.join(arguments)}: {done.stderr.strip()}"
            raise RuntimeError(msg)
        return done.stdout

    def told(self, *arguments: str, seconds: float = 600) -> tuple[int, str]:
        """Run another ``pratique`` command, which may fail; return its exit code and all that it said."""
        done = subprocess.run(
            self.command_line(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=seconds,
        )
        return done.returncode, done.stdout

    def command_line(self, *arguments: str) -> list[str]:
        """Return the command that runs another ``pratique`` command against the same engine."""
        return self.engine.network.command(self._command(*arguments))

    def alerts(self, since: float = 0.0) -> list[dict[str, Any]]:
        """Return what ``pratique alerts`` tells, of what happened last at or after a time."""
        told: list[dict[str, Any]] = msgspec.json.decode(self.run("alerts", "-f", "json"))
        return [alert for alert in told if _seconds(alert["last_at"]) >= since]

    def _command(self, *arguments: str) -> list[str]:
        options = [f"{name}={value}" for name, value in self._options.items()]
        return ["env", *options, str(_PROGRAM), *arguments]


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
