"""``pratique quarantine``: the kernel cuts all traffic of a container."""

from pathlib import Path
from typing import Final

import click
import msgspec

from pratique.cli.asking import asker, find_container
from pratique.cli.listing import View, format_option, local_time, open_store, short
from pratique.config import load
from pratique.errors import StoreError, UsageError
from pratique.pipelines.presence import agent_runs
from pratique.pipelines.quarantine import ENFORCED, put_in_quarantine, wait_until
from pratique.store import Store
from pratique.text import printable

_WITHIN_S: Final = 10.0

VIEW = View(
    ("CONTAINER", "SINCE", "ASKED BY", "REASON"),
    lambda record: [short(record.container), local_time(record.at), record.source, record.reason],
    msgspec.to_builtins,
)


@click.command()
@click.argument("container", required=False)
@click.option("--reason", default="", metavar="TEXT", help="Why, for the decision log.")
@click.option("--list", "listing", is_flag=True, help="Show the containers in quarantine instead.")
@format_option
def command(container: str | None, reason: str, listing: bool, form: str) -> None:
    """Cut all traffic of a container, in both directions, also on connections that are open already.

    It goes on running, so that it can be looked at ('pratique capture'), and stays in quarantine over its own restarts,
    the engine's and the agent's, until 'pratique release CONTAINER'.
    """
    if listing:
        with open_store(None) as store:
            VIEW.show(store.quarantines.all(), form)
        return
    if container is None:
        msg = "which container?"
        raise UsageError(msg, hint="pratique quarantine CONTAINER, or --list")
    options = load()
    found = find_container(options, container)
    running = agent_runs(Path(options.run_dir))
    with Store.open(options.store) as store:
        asked = put_in_quarantine(store, found, reason=reason, source=asker())
        if (
            running
            and asked is not None
            and not wait_until(store, found.id, ENFORCED, after_id=asked, seconds=_WITHIN_S)
        ):
            msg = f"container {found.name} is to be in quarantine, but the agent did not do it within {_WITHIN_S:.0f} s"
            raise StoreError(msg, hint="look at what the agent says; it goes on trying")
    name = printable(found.name or found.id[:12])
    if running:
        click.echo(f"{name} is in quarantine: the kernel cuts all its traffic, until 'pratique release {name}'")
    else:
        click.echo(f"{name} is to be in quarantine; no agent is running, so it begins with the next 'pratique up'")
