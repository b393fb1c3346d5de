"""Tells the world outside for as long as the agent runs: metrics for Prometheus, messages to those who want them.

Protection depends on none of it: what does not work is told to the account, and tried again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pratique.errors import PratiqueError
from pratique.exporters import Notifier, Target, parse_address, read_targets, serve_metrics
from pratique.model import Alert, Decision, Detonation, ImageId, Report
from pratique.pipelines.account import Account, Status
from pratique.store import Store

if TYPE_CHECKING:
    from pratique.exporters.metrics import Metrics

NO_METRICS: Final = "off"
"""The option's value that says that there are to be none."""
_LOOK_EVERY_S: Final = 2.0
_RETRY_S: Final = 30.0
_Stamp = tuple[int, int, int]


class TellingSettings(Struct, frozen=True):
    """Who is told, and where."""

    notify: Path
    """The document of targets; it need not be there."""
    metrics: tuple[str, int] | None = None
    """Address and port for Prometheus."""


def telling_settings(notify: str, metrics: str) -> TellingSettings:
    """Return the settings for the options of these names.

    :raises UsageError: when ``metrics`` is no address
    """
    return TellingSettings(Path(notify), None if metrics == NO_METRICS else parse_address(metrics))


class Told:
    """What the agent's parts use: an account that is counted, and a tally for what the account is not told of."""

    def __init__(self, account: Account, metrics: "Metrics | None") -> None:
        self.account: Account = account if metrics is None else _Counted(account, metrics)
        self._metrics = metrics

    def count(self, record: Alert | Decision) -> None:
        """Count an alert or a decision, also one of a flood."""
        if self._metrics is None:
            return
        if isinstance(record, Alert):
            self._metrics.alert(record)
        else:
            self._metrics.decision(record)

    async def counted(
        self, detonate: Callable[[ImageId, float], Awaitable[Detonation]], image_id: ImageId, for_s: float
    ) -> Detonation:
        """Detonate an image and count it."""
        detonation = await detonate(image_id, for_s)
        if self._metrics is not None:
            self._metrics.detonation(detonation)
        return detonation


@asynccontextmanager
async def telling(settings: TellingSettings, store: Store, account: Account) -> AsyncIterator[Told]:
    """Tell for as long as the block lasts."""
    metrics = _metrics() if settings.metrics is not None else None
    count = metrics.message if metrics is not None else lambda _target, _sent: None
    tasks = [asyncio.ensure_future(_keep_notifying(settings.notify, store, account, count))]
    if metrics is not None and settings.metrics is not None:
        tasks.append(asyncio.ensure_future(_keep_serving(settings.metrics, metrics, account)))
    try:
        yield Told(account, metrics)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _metrics() -> "Metrics":
    from pratique.exporters.metrics import Metrics  # noqa: PLC0415  # Prometheus' library only where it is wanted

    return Metrics()


async def _keep_serving(address: tuple[str, int], metrics: "Metrics", account: Account) -> None:
    told = False
    while True:
        try:
            async with serve_metrics(address, metrics.text) as port:
                account.say(f"metrics: http://{address[0]}:{port}/metrics")
                await asyncio.get_running_loop().create_future()
        except PratiqueError as error:
            if not told:
                account.warn(f"{error.what}; trying again", error.hint)
            told = True
            await asyncio.sleep(_RETRY_S)


async def _keep_notifying(path: Path, store: Store, account: Account, count: Callable[[str, bool], None]) -> None:
    """Run a notifier for each target of the document, and begin anew whenever it changes."""
    seen: _Stamp | None = None
    running: list[asyncio.Future[None]] = []
    try:
        while True:
            stamp = await asyncio.to_thread(_stamp, path)
            if stamp != seen:
                seen = stamp
                targets = await _targets(path, account)
                if targets is not None:
                    _end(running)
                    running = [asyncio.ensure_future(_notify(target, store, account, count)) for target in targets]
                    if targets:
                        account.say(f"telling of alerts: {', '.join(target.name for target in targets)}")
            await asyncio.sleep(_LOOK_EVERY_S)
    finally:
        _end(running)
        await asyncio.gather(*running, return_exceptions=True)


async def _targets(path: Path, account: Account) -> tuple[Target, ...] | None:
    with suppress(OSError):  # there is none, or not any more
        if path.stat().st_mode & 0o077:
            account.warn(f"{path} holds secrets, and others may read or change it", f"chmod 600 {path}")
    try:
        return await asyncio.to_thread(read_targets, path)
    except PratiqueError as error:
        account.warn(f"{error.what}; who was told is told on", error.hint)
        return None


async def _notify(target: Target, store: Store, account: Account, count: Callable[[str, bool], None]) -> None:
    while True:
        try:
            await Notifier(target, store.outbox, warn=account.warn, done=count).run()
        except Exception as error:  # noqa: BLE001  # a mistake here must not end what protects the host
            account.warn(f"telling {target.name} failed: {type(error).__name__}; trying again")
        await asyncio.sleep(_RETRY_S)


def _end(running: list[asyncio.Future[None]]) -> None:
    for task in running:
        task.cancel()


def _stamp(path: Path) -> _Stamp | None:
    with suppress(OSError):
        status = path.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns
    return None


class _Counted:
    """An account that counts what it passes on."""

    def __init__(self, account: Account, metrics: "Metrics") -> None:
        self._account = account
        self._metrics = metrics
        self.say = account.say
        self.warn = account.warn
        self.decided = account.decided
        self.alerted = account.alerted

    def scanned(self, report: Report, fault: str) -> None:
        """Count a scan."""
        self._metrics.scan(report, passed=not fault)
        self._account.scanned(report, fault)

    def status(self, status: Status) -> None:
        """Take over the numbers of the moment."""
        self._metrics.status(containers=status.containers, images=status.images, flows=status.flows, lost=status.lost)
        self._account.status(status)
