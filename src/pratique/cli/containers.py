"""``pratique containers``: the containers on this host and the policy each is under."""

import click

from pratique.cli.listing import (
    View,
    flat,
    format_option,
    image_ids,
    image_option,
    local_time,
    open_store,
    short,
    state_dir_option,
)
from pratique.store import ContainerRecord


def _state(record: ContainerRecord) -> str:
    if record.gone_at is not None:
        return "removed"
    return "running" if record.container.running else "stopped"


def _row(record: ContainerRecord) -> list[str]:
    container = record.container
    return [
        container.name,
        short(container.id),
        container.image_reference or short(container.image),
        short(container.image),
        record.policy,
        "yes" if record.admitted else "no",
        _state(record),
        ",".join(container.addresses),
        local_time(record.first_seen),
    ]


VIEW = View(
    ("CONTAINER", "ID", "IMAGE", "IMAGE ID", "POLICY", "ADMITTED", "STATE", "ADDRESSES", "SINCE"),
    _row,
    lambda record: flat(record, "container"),
)


@click.command()
@click.option("-a", "--all", "everything", is_flag=True, help="Removed ones as well.")
@image_option
@format_option
@state_dir_option
def command(everything: bool, image: str | None, form: str, state_dir: str | None) -> None:
    """Show the containers on this host, the policy each is under, and whether the guard admitted it."""
    with open_store(state_dir) as store:
        VIEW.show(store.containers(images=image_ids(store, image), gone=everything), form)
