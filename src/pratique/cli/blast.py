"""``pratique blast``: who carries something, and who depends on them."""

from pathlib import Path

import click

from pratique.cli.listing import state_dir_option
from pratique.cli.output import replace_file
from pratique.config import load
from pratique.pipelines.blast import LIMIT, blast_radius
from pratique.report.blast import BlastFormat, render_blast
from pratique.store import Store


@click.command()
@click.argument("question")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice([form.value for form in BlastFormat]),
    default="table",
    show_default=True,
    help="How to print.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a file.")
@click.option("--all", "everything", is_flag=True, help=f"List everything, not only the {LIMIT} most urgent of a kind.")
@state_dir_option
def command(question: str, form: str, output: Path | None, everything: bool, state_dir: str | None) -> None:
    """Tell who carries something, through what, and who depends on them; the most urgent first.

    \b
    QUESTION is one of:
      CVE-2023-0286              a vulnerability, by any of its names
      openssl                    a package, or the source package that built it
      'openssl<3.0.8'            … in versions below; <= as well; quote it from the shell
      flask@2.0.1                … in one version
      64 hexadecimal digits      the SHA-256 of a program or library
      shop/cart:1                an image, by name or id
      cart-1                     a container, by name or id
    A name with several meanings is narrowed: package:redis, image:redis, container:redis.
    """  # noqa: D301  # \b is click's mark for "do not re-wrap"
    options = load({"state_dir": state_dir})
    with Store.open(options.store, read_only=True) as store:
        limit = None if everything else LIMIT
        answer = blast_radius(store, question, advisories=options.advisories_path, limit=limit)
    text = render_blast(answer, BlastFormat(form))
    if output is None:
        click.echo(text, nl=False)
    else:
        replace_file(output, text.encode())
