"""``pratique pardon``: a person vouches for an image."""

import getpass

import click

from pratique.cli.listing import short, state_dir_option
from pratique.config import load
from pratique.pipelines.verdicts import pardon
from pratique.store import Store


@click.command()
@click.argument("image")
@click.option("--reason", default="by hand", show_default=True, metavar="TEXT", help="For the log of decisions.")
@state_dir_option
def command(image: str, reason: str, state_dir: str | None) -> None:
    """Vouch for an image: it is not condemned, it is nobody's kin, and what is in it condemns nobody.

    IMAGE is a name, an id or its first 12 digits. Pardon the honest original when an attacker's copy of it was
    condemned. What its report says counts as before.
    """
    with Store.open(load({"state_dir": state_dir}).store) as store:
        image_id = pardon(store, image, reason, getpass.getuser())
    click.echo(f"pardoned: {short(image_id)} may run if its report passes")
