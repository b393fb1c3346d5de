"""``pratique similar``: what else is made of the same."""

import click
import msgspec

from pratique.cli.listing import View, format_option, open_store, short, state_dir_option
from pratique.config import load
from pratique.errors import PolicyError
from pratique.pipelines.similar import Similar, similar
from pratique.pipelines.verdicts import resolve
from pratique.policy import Document, read


def _row(one: Similar) -> list[str]:
    return [
        one.name,
        short(one.image),
        f"{one.share:.0%}",
        f"{one.back:.0%}",
        f"{one.recipe:.0%}",
        str(one.common),
        one.condemned or "-",
        "yes" if one.kin else "-",
    ]


VIEW = View(("IMAGE", "ID", "SHARE", "BACK", "COMMAND", "IN COMMON", "CONDEMNED", "KIN"), _row, msgspec.to_builtins)


@click.command()
@click.argument("image")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, metavar="N", help="The nearest N.")
@format_option
@state_dir_option
def command(image: str, limit: int, form: str, state_dir: str | None) -> None:
    """Show the images that are made of the same as IMAGE above their bases, the nearest first.

    SHARE is how much of that image's own content IMAGE has, BACK how much of IMAGE's own content that image has,
    COMMAND how much of what IMAGE runs it runs. KIN: that image is condemned, and so IMAGE is as well.
    """
    try:
        document = read(load({"state_dir": state_dir}).policy_path)
    except PolicyError:
        document = Document()
    with open_store(state_dir) as store:
        VIEW.show(similar(store, resolve(store, image), document, limit), form)
