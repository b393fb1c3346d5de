"""``pratique agent``: protect this host as a service."""

import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path
from typing import Any, Final

import click
import structlog

from pratique import config
from pratique.config import Options
from pratique.errors import PratiqueError
from pratique.model import Alert, Decision, Report, Severity, Verdict
from pratique.pipelines.account import Account, Status
from pratique.pipelines.console import NO_CONSOLE, ConsoleSettings, parse_address
from pratique.pipelines.telling import telling_settings
from pratique.pipelines.watch import Settings, protect

_STDERR: Final = 2


class _Journal:
    """Standard error without a buffer, whose reader may go away: protection goes on without it.

    What a buffer could not get rid of would be tried again at the end, and make the exit code an error's.
    """

    def write(self, line: str) -> None:
        """Write a line."""
        with contextlib.suppress(OSError):
            os.write(_STDERR, line.encode(errors="backslashreplace"))

    def flush(self) -> None:
        """Do nothing: nothing waits."""


class JournalAccount:
    """An account as one JSON line an event on stderr, for a service's journal."""

    def __init__(self) -> None:
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.WriteLoggerFactory(file=_Journal()),  # type: ignore[arg-type]  # all that it uses
        )
        self._log: Any = structlog.get_logger()

    def say(self, text: str) -> None:
        """Tell a step."""
        self._log.info(text, kind="step")

    def warn(self, text: str, hint: str = "") -> None:
        """Tell of something that does not work as it should."""
        self._log.warning(text, kind="warning", hint=hint)

    def scanned(self, report: Report, fault: str) -> None:
        """Tell that an image was scanned."""
        self._log.info("scanned", kind="scan", image=report.image.id, name=report.image.name, fault=fault)

    def decided(self, decision: Decision) -> None:
        """Tell a refusal; what was let through is in the store."""
        if decision.verdict is Verdict.DENY:
            self._log.warning(
                "refused",
                kind="decision",
                rule=decision.rule,
                request=decision.subject,
                reason=decision.reason,
                source=decision.source,
            )

    def alerted(self, alert: Alert) -> None:
        """Tell an alert."""
        tell = self._log.error if alert.severity.rank >= Severity.HIGH.rank else self._log.warning
        tell(
            alert.title,
            kind="alert",
            at=alert.at,
            rule=alert.rule,
            severity=alert.severity,
            action=alert.action,
            image=alert.image,
            image_name=alert.image_name,
            container=alert.container,
            container_name=alert.container_name,
            techniques=[technique.id for technique in alert.techniques],
            **{f"evidence_{key}": value for key, value in alert.evidence.items()},
        )

    def status(self, status: Status) -> None:
        """Say nothing: a journal has no use for a line a second."""


def settings_from(options: Options, *, install_guard: bool, keep: bool, start_engine: bool) -> Settings:
    """Return the agent's settings for a host's options."""
    return Settings(
        docker_host=options.docker_host,
        cgroup_parent=options.cgroup_parent,
        store=options.store,
        state_dir=Path(options.state_dir),
        advisories_path=options.advisories_path,
        policy_path=options.policy_path,
        run_dir=Path(options.run_dir),
        pin_dir=Path(options.pin_dir),
        plugin_name=options.plugin_name,
        plugin_socket=options.plugin_socket,
        daemon_json=Path(options.daemon_json),
        retention_days=options.retention_days,
        install_guard=install_guard,
        keep=keep,
        start_engine=start_engine,
        telling=telling_settings(options.notify, options.metrics),
        console=_console(options, invite=install_guard),
    )


def _console(options: Options, *, invite: bool) -> ConsoleSettings | None:
    """Return how the console finds the same host as the agent; None when there is to be none."""
    if options.console == NO_CONSOLE:
        return None
    values = {f"PRATIQUE_{name.upper()}": str(getattr(options, name)) for name in Options.__struct_fields__}
    address = parse_address(options.console)
    return ConsoleSettings(address.url, address.private, {**os.environ, **values}, invite)


def run(settings: Settings, account: Account) -> None:
    """Protect the host until SIGINT, SIGTERM or the end of the terminal; to die of that would leave the API shut."""

    async def until_signalled() -> None:
        stop = asyncio.Event()
        hangup = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)  # nohup(1)
        for number in (signal.SIGINT, signal.SIGTERM, *hangup):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await protect(settings, account, stop)

    try:
        asyncio.run(until_signalled())
    except BaseExceptionGroup as group:  # parts that work at the same time put their errors into groups
        ours = group.subgroup(PratiqueError)
        if ours is None:
            raise
        raise _first(ours) from group


def _first(group: BaseExceptionGroup[PratiqueError]) -> PratiqueError:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


@click.command()
def command() -> None:
    """Protect this host as a service: JSON lines on stderr, the guard and the kernel's enforcement outlive it.

    \b
    Install the guard once, then let systemd run the agent:
      pratique guard install
      systemctl enable --now pratique-agent

    While it is stopped the kernel goes on enforcing, and the engine refuses requests.
    """  # noqa: D301
    options = config.load()
    settings = settings_from(options, install_guard=False, keep=True, start_engine=False)
    run(settings, JournalAccount())
