"""``pratique sbom``: an image's bill of materials."""

from pathlib import Path
from typing import Final

import click

from pratique import config
from pratique.cli.formats import Wanted, write
from pratique.cli.scanning import scan_target
from pratique.errors import IncompleteError
from pratique.report import Format

_FORMATS: Final = {"cyclonedx": Format.CYCLONEDX, "spdx": Format.SPDX}


@click.command()
@click.argument("target")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(list(_FORMATS)),
    default="cyclonedx",
    show_default=True,
    help="CycloneDX 1.6 or SPDX 2.3, both as JSON.",
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the document here."
)
@click.option("--docker-host", metavar="URL", help="The engine.  [unix:///var/run/docker.sock]")
def command(target: str, form: str, output: Path | None, docker_host: str | None) -> None:
    """Write an image's bill of materials: its packages, and the vulnerabilities that are known of them.

    \b
    An image of the engine:        pratique sbom shop/checkout:1
    A saved image, as SPDX:        pratique sbom -f spdx -o checkout.spdx.json checkout.tar

    TARGET is as for 'pratique scan', and so are the findings; nothing is kept in the store.

    Exit codes: 0 written, 1 error, 3 written, but something of the image could not be read.
    """  # noqa: D301  # \b is click's mark for "do not re-wrap"
    report = scan_target(target, config.load({"docker_host": docker_host}))
    write(report, [Wanted(_FORMATS[form], output)])
    if report.unread:
        first = report.unread[0]
        msg = f"{len(report.unread)} parts of the image could not be read, first {first.path}: {first.reason}"
        raise IncompleteError(msg, hint="the document lists what was read, and names the parts that were not")
