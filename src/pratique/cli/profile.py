"""``pratique profile``: an allow-list from an integration test, to travel with the image."""

import asyncio
from pathlib import Path

import click

from pratique.cli.output import replace_file
from pratique.config import load
from pratique.pipelines.profile import Settings, pin_dir, record
from pratique.policy import render_profile
from pratique.text import count, printable


@click.group()
def command() -> None:
    """Write down what images do while a test runs."""


@command.command("record", context_settings={"allow_interspersed_args": False})
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default="pratique.allow.yaml",
    show_default=True,
    metavar="FILE",
    help="Write the profile here.",
)
@click.option("--docker-host", metavar="URL", help="The engine.  [unix:///var/run/docker.sock]")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
def record_command(output: Path, docker_host: str | None, words: tuple[str, ...]) -> int:
    """Run COMMAND, and write whom the containers of this host talked to meanwhile, and what they ran, by image.

    \b
    A test with Compose:           pratique profile record -- docker compose run --rm tests
    Somewhere else:                pratique profile record -o deploy/shop.allow.yaml -- make integration

    Everything is let through and recorded; an agent that runs goes on undisturbed, and what it refuses is recorded all
    the same. The same images with the same behaviour give the same file: keep it beside the code, review its changes,
    and put it into a host's policy with 'pratique policy merge'.

    The exit code is that of COMMAND; when it fails, no file is written.
    """  # noqa: D301  # \b is click's mark for "do not re-wrap"
    options = load({"docker_host": docker_host})
    settings = Settings(options.docker_host, options.cgroup_parent, pin_dir(Path(options.pin_dir)))
    recorded = asyncio.run(record(settings, words))
    if recorded.exit_code:
        click.echo(f"{printable(words[0])} failed with {recorded.exit_code}, so no profile was written", err=True)
        return recorded.exit_code
    replace_file(output, render_profile(recorded.profile).encode())
    for image in recorded.profile.images:
        counts = f"{count(len(image.peers), 'peer')}, {count(len(image.programs), 'program')}"
        click.echo(f"{printable(image.name)}: {counts}", err=True)
    if recorded.lost:
        click.echo(f"the kernel could not hand over {recorded.lost} events: programs may be missing", err=True)
    if recorded.unknown:
        click.echo(f"{recorded.unknown} containers were gone before they could be told apart", err=True)
    click.echo(f"{output} holds {count(len(recorded.profile.images), 'image')}", err=True)
    return 0
