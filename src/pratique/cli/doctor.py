"""``pratique doctor``: what this host can and cannot do, and how to mend it."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.text import Text

from pratique import config
from pratique.errors import HostError
from pratique.pipelines.checks import Check, Status
from pratique.pipelines.doctor import failed, judge
from pratique.pipelines.examine import Subject, examine

_STYLES: Final = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}


@click.command()
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to print.",
)
def command(form: str) -> None:
    """Tell what this host can and cannot do, and how to mend it.

    Loads the sensor's programs on an empty cgroup of its own and takes them away again; changes nothing else.
    Exit code 0 when this host can be protected, 1 when something that is needed is missing.
    """
    options = config.load()
    subject = Subject(
        docker_host=options.docker_host,
        daemon_json=Path(options.daemon_json),
        plugin_name=options.plugin_name,
        plugin_socket=options.plugin_socket,
        run_dir=Path(options.run_dir),
        cgroup_parent=options.cgroup_parent,
    )
    checks = judge(asyncio.run(examine(subject)))
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(checks)))
    else:
        _print(checks)
    missing = failed(checks)
    if missing:
        msg = f"this host cannot be protected yet: {', '.join(missing)}"
        raise HostError(msg, hint="each line marked 'fail' says how to mend it")


def _print(checks: tuple[Check, ...]) -> None:
    console = Console()
    width = max(len(check.name) for check in checks)
    for check in checks:
        line = Text(f"{check.status:<4}  ", style=_STYLES[check.status])
        line.append(f"{check.name:<{width}}  ", style="bold").append(check.found, style="default")
        if check.follows:
            line.append(f": {check.follows}", style="default")
        console.print(line, soft_wrap=True)
        if check.mend:
            console.print(Text(f"{'':<{width + 8}}→ {check.mend}", style="dim"), soft_wrap=True)
    counts = Counter(check.status for check in checks)
    console.print(Text(", ".join(f"{counts[status]} {status}" for status in Status), style="bold"))
