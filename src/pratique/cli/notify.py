"""``pratique notify``: who is told of alerts, and whether that works."""

import asyncio
import socket
import time
from pathlib import Path

import click

from pratique.cli.listing import print_table
from pratique.config import load
from pratique.errors import NetworkError, StoreError, UsageError
from pratique.exporters import Message, Target, deliver, read_targets, syslog
from pratique.model import Severity
from pratique.store import Store


@click.group()
def command() -> None:
    """Show who is told of alerts, and try it.

    \b
    The document of targets:       /etc/pratique/notify.yaml, or PRATIQUE_NOTIFY
    Send each a message now:       pratique notify test
    """  # noqa: D301  # \b is click's mark for "do not re-wrap"


@command.command("list")
def show() -> None:
    """Print the targets, and how many alerts each is behind. URLs are never shown: they hold secrets."""
    options = load()
    targets = _targets(Path(options.notify), ())
    behind = _behind(options.store, targets)
    rows = [
        [target.name, target.shown, target.at_least.value, ", ".join(target.rules), waits]
        for target, waits in zip(targets, behind, strict=True)
    ]
    print_table(("NAME", "WHERE", "FROM SEVERITY", "RULES", "BEHIND"), rows)


@command.command("test")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def test(names: tuple[str, ...]) -> None:
    """Send each target, or those named, a message now.

    Exit codes: 0 all took it, 1 one did not.
    """
    targets = _targets(Path(load().notify), names)
    failed = []
    for target in targets:
        try:
            asyncio.run(_try(target))
            click.echo(f"{target.name} ({target.shown}): sent")
        except NetworkError as error:
            failed.append(target.name)
            click.echo(error.what, err=True)
    if failed:
        msg = f"{len(failed)} of {len(targets)} targets did not take the message: {', '.join(failed)}"
        raise NetworkError(msg, hint="check the URL and whether this host may reach it")


def _targets(path: Path, names: tuple[str, ...]) -> tuple[Target, ...]:
    targets = read_targets(path)
    if not targets:
        msg = f"nobody is told: {path} lists no targets"
        raise UsageError(msg, hint="docs/notify.md shows an example")
    unknown = set(names) - {target.name for target in targets}
    if unknown:
        msg = f"{path} has no target {min(unknown)!r}"
        raise UsageError(msg, hint=f"there are {', '.join(target.name for target in targets)}")
    return tuple(target for target in targets if not names or target.name in names)


async def _try(target: Target) -> None:
    host = socket.gethostname()
    text = f"This is a test from Pratique on {host}: what it finds will be told here."
    if target.is_syslog:
        receiver = syslog.parse_receiver(target.url)
        line = syslog.encode_text(text, time.time(), receiver, host)
        await asyncio.to_thread(syslog.send, receiver, [line])
    else:
        await deliver(target, Message(f"Pratique on {host}: a test", text, Severity.UNKNOWN))


def _behind(where: Path | str, targets: tuple[Target, ...]) -> list[str]:
    try:
        with Store.open(where, read_only=True) as store:
            newest = store.outbox.newest()
            told = [store.outbox.told(target.name) for target in targets]
    except StoreError:
        return ["" for _ in targets]
    return ["new" if last is None else str(newest - last) for last in told]
