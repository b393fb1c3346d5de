"""``pratique condemn``: this image, and whatever is made of the same, may not run."""

import getpass

import click

from pratique.cli.listing import short, state_dir_option
from pratique.config import load
from pratique.pipelines.verdicts import condemn
from pratique.store import Store


@click.command()
@click.argument("image")
@click.option("--reason", default="by hand", show_default=True, metavar="TEXT", help="Told to whoever is refused.")
@state_dir_option
def command(image: str, reason: str, state_dir: str | None) -> None:
    """Condemn an image: the guard refuses it and its kin, and what runs of them is told.

    IMAGE is a name, an id or its first 12 digits. Kin is every image that holds most of what is the condemned one's
    own, whatever its ids, tags, paths and layers are. 'pratique pardon' takes it back.
    """
    with Store.open(load({"state_dir": state_dir}).store) as store:
        image_id = condemn(store, image, reason, getpass.getuser())
    click.echo(f"condemned: {short(image_id)} and its kin may not run: {reason}")
