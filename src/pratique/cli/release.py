"""``pratique release``: the end of a container's quarantine."""

from pathlib import Path
from typing import Final

import click

from pratique.cli.asking import asker, find_container
from pratique.config import load
from pratique.errors import StoreError, UsageError
from pratique.pipelines.presence import agent_runs
from pratique.pipelines.quarantine import LIFTED, release, wait_until
from pratique.store import Store
from pratique.text import printable

_WITHIN_S: Final = 10.0


@click.command()
@click.argument("container")
def command(container: str) -> None:
    """Release a container from quarantine: it is under its image's policy again, and open connections go on."""
    options = load()
    found = find_container(options, container)
    name = printable(found.name or found.id[:12])
    running = agent_runs(Path(options.run_dir))
    with Store.open(options.store) as store:
        asked = release(store, found, source=asker())
        if asked is None:
            msg = f"container {name} is not in quarantine"
            raise UsageError(msg, hint="'pratique quarantine --list' shows which are")
        if running and not wait_until(store, found.id, LIFTED, after_id=asked, seconds=_WITHIN_S):
            msg = f"container {name} is to be released, but the agent did not do it within {_WITHIN_S:.0f} s"
            raise StoreError(msg, hint="look at what the agent says; it goes on trying")
    click.echo(f"{name} is released" + ("" if running else "; no agent is running, so from the next 'pratique up' on"))
