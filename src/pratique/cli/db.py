"""``pratique db``: fetch, import and show the advisory database."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pratique import config
from pratique.advisories import DEFAULT_FAMILIES, Database, Imported, Source, build
from pratique.advisories.download import PUBLISHED, download
from pratique.errors import StoreError
from pratique.text import printable

_OLD_AFTER_DAYS: Final = 14
_DAY: Final = 86_400
_HOUR: Final = 3_600
_state_dir_option = click.option("--state-dir", metavar="DIR", help="Where the database is.  [/var/lib/pratique]")


@click.group()
def command() -> None:
    """Fetch, import and show the advisory database.

    \b
    Fetch what OSV publishes:      pratique db update
    Take it from disk:             pratique db import all.zip
    See what there is:             pratique db status
    """  # noqa: D301  # \b is click's mark for "do not re-wrap"


@command.command()
@click.option(
    "--ecosystem",
    "families",
    multiple=True,
    metavar="NAME",
    help=f"Repeatable. Default: {', '.join(DEFAULT_FAMILIES)}.",
)
@click.option(
    "--source", default=PUBLISHED, show_default=True, metavar="URL", help="Where SOURCE/ECOSYSTEM/all.zip are."
)
@_state_dir_option
def update(families: tuple[str, ...], source: str, state_dir: str | None) -> None:
    """Fetch the advisories that OSV publishes. Other ecosystems stay as they are; on failure everything does."""
    path = config.load({"state_dir": state_dir}).advisories_path
    _make_directory(path.parent)
    with tempfile.TemporaryDirectory(prefix=".advisories-", dir=path.parent) as directory:
        sources = []
        for number, name in enumerate(families or DEFAULT_FAMILIES):
            target = Path(directory) / f"{number}.zip"
            sources.append(Source(path=target, name=_fetch(source, name, target), family=name))
        _build(path, sources)


@command.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--ecosystem", "family", default="", metavar="NAME", help="Take only this. Default: what a file is mostly about."
)
@_state_dir_option
def import_(files: tuple[Path, ...], family: str, state_dir: str | None) -> None:
    """Take advisories from zips of OSV documents, and what is known of exploitation: KEV (JSON, CSV), EPSS (CSV).

    A file is known by its content. All files or none: what is there of their ecosystems is replaced.
    """
    path = config.load({"state_dir": state_dir}).advisories_path
    _build(path, [Source(path=file, name=printable(file.name), family=family) for file in files])


@command.command()
@_state_dir_option
def status(state_dir: str | None) -> None:
    """Show what the database holds and how old it is."""
    with Database.open(config.load({"state_dir": state_dir}).advisories_path) as database:
        feeds = database.summary()
    now = time.time()
    table = Table(box=None, pad_edge=False)
    for heading in ("ECOSYSTEM", "ADVISORIES", "NEWEST CHANGE", "IMPORTED", "FROM"):
        table.add_column(heading, justify="right" if heading == "ADVISORIES" else "left", overflow="fold")
    for feed in feeds:
        changed = _age(now - feed.data_at) if feed.data_at else "not told"
        cells = (feed.family, f"{feed.advisories:,}", changed, _age(now - feed.imported_at), feed.source)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    Console(soft_wrap=True).print(table)
    old = [feed.family for feed in feeds if now - (feed.data_at or feed.imported_at) > _OLD_AFTER_DAYS * _DAY]
    if old:
        click.echo(f"warning: older than {_OLD_AFTER_DAYS} days: {', '.join(old)}", err=True)
        click.echo("hint: 'pratique db update' fetches what is published now", err=True)


def _fetch(base: str, name: str, target: Path) -> str:
    with Console(stderr=True).status(f"fetching {name}") as progress:
        return download(base, name, target, progress=lambda size: progress.update(f"fetching {name}: {size >> 20} MB"))


def _build(path: Path, sources: Sequence[Source]) -> None:
    if path.exists():
        try:
            Database.open(path).close()
        except StoreError as error:
            click.echo(f"warning: {error.what}; nothing of it can be kept", err=True)
    started = time.monotonic()
    with Console(stderr=True).status("reading advisories") as progress:
        imported = build(
            path,
            sources,
            now=time.time(),
            progress=lambda name, count: progress.update(Text(f"reading {name}: {count:,}")),
        )
    for found in imported:
        click.echo(_told(found), err=True)
        for entry in found.broken:
            click.echo(f"  {entry.name!r}: {entry.reason}", err=True)
    click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB in {time.monotonic() - started:.1f} s", err=True)


def _told(found: Imported) -> str:
    text = f"{found.family}: {found.advisories:,} advisories from {found.source.name}"
    if found.ignored:
        text += f", {found.ignored:,} without affected versions"
    if found.broken_count:
        text += f", {found.broken_count:,} entries broken:"
    return text


def _age(seconds: float) -> str:
    if seconds < 2 * _HOUR:
        return f"{max(seconds, 0) / 60:.0f} min ago"
    if seconds < 2 * _DAY:
        return f"{seconds / _HOUR:.0f} h ago"
    return f"{seconds / _DAY:.0f} days ago"


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        msg = f"{path} cannot be made: {error.strerror}"
        raise StoreError(msg, hint="run as root, or set PRATIQUE_STATE_DIR to a directory of your own") from error
