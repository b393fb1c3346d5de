"""``pratique up``: protect this host in the foreground and show what happens."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from pratique import config
from pratique.cli.agent import run, settings_from
from pratique.model import Action, Alert, Decision, Report, Severity, Verdict
from pratique.pipelines.account import Status
from pratique.text import printable

_STYLE = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
}


class _Screen(Console):
    """A console whose reader may go away (``| head``, a closed terminal): protection goes on without it."""

    def on_broken_pipe(self) -> None:
        """Say no more; the default ends the program."""
        self._leave()

    @contextlib.contextmanager
    def outlived(self) -> Iterator[None]:
        """Say no more once something in the block could not be written."""
        try:
            yield
        except OSError:
            self._leave()

    def _leave(self) -> None:
        self.quiet = True
        with contextlib.suppress(OSError, ValueError), Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), self.file.fileno())  # else Python complains when it flushes at the end


class ScreenAccount:
    """An account for a person: one line an event, and on a terminal a last line with the counters."""

    def __init__(self) -> None:
        self._console = _Screen(highlight=False)
        terminal = self._console.is_terminal
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if terminal else None
        self._alerts = self._refused = 0

    def __enter__(self) -> Self:
        if self._live is not None:
            with self._console.outlived():
                self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            with self._console.outlived():
                self._live.stop()

    def say(self, text: str) -> None:
        """Tell a step."""
        self._line("·", text, "dim")

    def warn(self, text: str, hint: str = "") -> None:
        """Tell of something that does not work as it should."""
        self._line("!", f"{text} (hint: {hint})" if hint else text, "yellow")

    def scanned(self, report: Report, fault: str) -> None:
        """Tell that an image was scanned."""
        facts = f"{len(report.packages)} packages, {len(report.findings)} findings, {report.duration_s:.1f} s"
        if fault:
            self._line("✗", f"scanned {report.image.name}: may not run: {fault}", "red")
        else:
            self._line("✓", f"scanned {report.image.name}: {facts}", "green")

    def decided(self, decision: Decision) -> None:
        """Tell a refusal; what was let through is in the store."""
        if decision.verdict is Verdict.DENY:
            self._refused += 1
            self._line("✗", f"refused {decision.subject}: {decision.reason}", "magenta")

    def alerted(self, alert: Alert) -> None:
        """Tell an alert."""
        self._alerts += 1
        if alert.action is Action.REFUSED:
            return  # told with its reason as the guard's decision
        who = " ".join(part for part in (alert.image_name, alert.container_name) if part)
        techniques = ",".join(technique.id for technique in alert.techniques)
        evidence = " ".join(f"{key}={value}" for key, value in alert.evidence.items())
        text = f"{alert.severity} {alert.action}: {alert.title} [{techniques}] {who} {evidence}"
        self._line("▲", " ".join(text.split()), _STYLE.get(alert.severity, ""))

    def status(self, status: Status) -> None:
        """Show the counters on the last line of a terminal."""
        if self._live is None:
            return
        lost = f" · {status.lost} events lost" if status.lost else ""
        counters = (
            f"{status.containers} containers · {status.images} images · {status.flows} flows · "
            f"{self._refused} refused · {self._alerts} alerts{lost} · Ctrl-C ends"
        )
        with self._console.outlived():
            self._live.update(Text(counters, style="reverse"), refresh=True)

    def _line(self, mark: str, text: str, style: str) -> None:
        shown = printable(text)  # names, paths and reasons are strangers', and the terminal is an administrator's
        with self._console.outlived():
            self._console.print(Text(f"{time.strftime('%H:%M:%S')} {mark} {shown}", style=style), soft_wrap=True)


@click.command()
@click.option("--keep", is_flag=True, help="At the end leave the kernel's enforcement in place.")
@click.option("--start-engine", is_flag=True, help="Start an engine where none runs and there is no systemd.")
def command(keep: bool, start_engine: bool) -> None:
    """Protect this host: scan its images, put the guard before the engine's API, enforce in the kernel, tell.

    \b
    Protect until Ctrl-C, then leave the host as it was:   pratique up
    Leave the kernel's enforcement in place afterwards:    pratique up --keep
    Another engine:                                        DOCKER_HOST=unix:///run/other.sock pratique up
    """  # noqa: D301
    settings = settings_from(config.load(), install_guard=True, keep=keep, start_engine=start_engine)
    with ScreenAccount() as account:
        run(settings, account)
