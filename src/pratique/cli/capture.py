"""``pratique capture``: evidence of a container in one archive."""

import asyncio
import re
import time
from pathlib import Path

import click

from pratique.cli.asking import asker, find_container
from pratique.config import Options, load
from pratique.model import Container
from pratique.pipelines.capture import Captured, capture
from pratique.runtime import Engine
from pratique.store import Store
from pratique.text import printable


@click.command()
@click.argument("container")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="A new .tar.gz.  [NAME-TIME.tar.gz]"
)
@click.option("--pause", is_flag=True, help="Have its processes stand still while they are read.")
def command(container: str, output: Path | None, pause: bool) -> None:
    """Take evidence of a container: processes, sockets, memory maps, changed files, recent events, image, report.

    Of environments the names alone are taken. manifest.json in the archive has the hash of every member; the hash of
    the archive is in the decision log, where nobody can change it unnoticed.
    """
    options = load()
    found = find_container(options, container)
    path = output or Path(f"{_file_name(found)}-{time.strftime('%Y%m%dT%H%M%S')}.tar.gz")
    done = asyncio.run(_capture(options, found, path, pause=pause))
    click.echo(f"{done.path}: {done.members} members, {done.processes} processes, {done.changes} changes")
    click.echo(f"sha256 {done.sha256}")
    for note in done.notes:
        click.echo(printable(f"missing: {note}"), err=True)


async def _capture(options: Options, container: Container, path: Path, *, pause: bool) -> Captured:
    async with Engine.connect(options.docker_host) as engine:
        with Store.open(options.store) as store:
            return await capture(engine, store, container, path, source=asker(), pause=pause)


def _file_name(container: Container) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", container.name or container.id[:12])
