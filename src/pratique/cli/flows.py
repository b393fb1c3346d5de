"""``pratique flows``: who talked to whom."""

from functools import partial

import click

from pratique.cli.listing import (
    View,
    Window,
    flat,
    image_ids,
    image_names,
    local_time,
    open_store,
    short,
    window_options,
)
from pratique.model import FlowVerdict
from pratique.store import FlowRecord


def _view(names: dict[str, str]) -> View:
    def row(record: FlowRecord) -> list[str]:
        flow = record.flow
        return [
            local_time(flow.last_seen),
            flow.verdict.value,
            flow.direction.value,
            flow.protocol.value,
            flow.address,
            str(flow.port),
            names.get(flow.image) or short(flow.image),
            short(flow.container),
            flow.command,
            str(flow.packets),
            str(flow.bytes),
        ]

    headings = "LAST SEEN,VERDICT,DIRECTION,PROTOCOL,PEER,PORT,IMAGE,CONTAINER,COMMAND,PACKETS,BYTES"
    return View(headings.split(","), row, partial(flat, inner="flow"))


@click.command()
@click.option(
    "--verdict",
    "verdicts",
    multiple=True,
    type=click.Choice([verdict.value for verdict in FlowVerdict]),
    help="Only flows with this verdict; repeatable.",
)
@window_options
def command(window: Window, verdicts: tuple[str, ...]) -> None:
    """Show who talked to whom: one line for each container, peer, protocol, port and verdict."""
    with open_store(window.state_dir) as store:
        view = _view(image_names(store))
        chosen = [FlowVerdict(verdict) for verdict in verdicts] or None
        view.run(window, partial(store.flows, images=image_ids(store, window.image), verdicts=chosen))
