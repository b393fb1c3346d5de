"""What the commands that list records share: their options, times, and the three ways to print.

Text comes from attackers (names, arguments): whatever a terminal could take for a command is written as an escape.
"""

import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Final

import click
import msgspec
from msgspec import Struct

from pratique.config import load
from pratique.errors import UsageError
from pratique.store import Store
from pratique.text import printable

POLL_S: Final = 0.5
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TIMES: Final = frozenset({"at", "last_at", "first_seen", "last_seen", "gone_at", "scanned_at", "created_at"})


class Age(click.ParamType[float]):
    """``10m``, ``1h``, ``2d``, or a time of ISO 8601 (UTC unless it says otherwise) → seconds since the epoch."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the time."""
        if isinstance(value, float):
            return value
        if match := re.fullmatch(r"(\d{1,6})([smhdw])", value):
            return time.time() - int(match[1]) * _UNITS[match[2]]
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither an age like 10m, 1h, 2d nor a time like 2026-01-31T12:00", param, ctx)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class Span(click.ParamType[float]):
    """``30s``, ``10m``, ``1h`` → seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d{1,6})([smhdw])", value)
        if match is None:
            self.fail(f"{value!r} is not a duration like 30s, 10m, 1h", param, ctx)
        return float(int(match[1]) * _UNITS[match[2]])


state_dir_option = click.option("--state-dir", metavar="DIR", help="Where the store is.  [/var/lib/pratique]")
format_option = click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["table", "json", "jsonl"]),
    default="table",
    show_default=True,
    help="How to print.",
)
image_option = click.option(
    "--image", metavar="NAME|ID", help="Only of this image: a name, an id or its first 12 digits."
)


class Window(Struct, frozen=True):
    """What the options of :func:`window_options` say."""

    state_dir: str | None
    since: float
    image: str | None
    limit: int | None
    follow: bool
    form: str


def window_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a command that lists what happens; its first argument is what they say."""

    @wraps(command)
    def gathered(**given: Any) -> None:
        window = Window(**{name: given.pop(name) for name in Window.__struct_fields__})
        command(window, **given)

    for option in (
        state_dir_option,
        click.option("--limit", type=click.IntRange(min=1), metavar="N", help="The newest N."),
        image_option,
        click.option("--follow", is_flag=True, help="Go on printing what is new until Ctrl-C."),
        click.option(
            "--since", type=Age(), default=0.0, metavar="AGE|TIME", help="Not before: 10m, 1h, 2d, 2026-01-31T12:00."
        ),
        format_option,
    ):
        gathered = option(gathered)
    return gathered


def open_store(state_dir: str | None) -> Store:
    """Open the store for reading.

    :raises StoreError: when nothing was recorded yet
    """
    return Store.open(load({"state_dir": state_dir}).store, read_only=True)


def image_ids(store: Store, name: str | None) -> tuple[str, ...] | None:
    """Return the image ids that a name stands for; None when no name was given.

    :raises UsageError: when no image has the name
    """
    if name is None:
        return None
    ids = store.image_ids(name)
    if not ids:
        msg = f"no image '{printable(name)}' is known"
        raise UsageError(msg, hint="'pratique images' lists the names and ids")
    return ids


def image_names(store: Store) -> dict[str, str]:
    """Return the name of each image id."""
    return {record.image.id: record.image.name for record in store.images()}


class View:
    """One kind of record: how it becomes a row of a table and a document of JSON.

    :param headings: of the table
    :param row: record → cells
    :param document: record → JSON object
    """

    def __init__(
        self, headings: Sequence[str], row: Callable[[Any], Sequence[str]], document: Callable[[Any], dict[str, Any]]
    ) -> None:
        self.headings = headings
        self.row = row
        self.document = document

    def show(self, records: Sequence[Any], form: str) -> None:
        """Print records."""
        if form == "json":
            _write(msgspec.json.format(msgspec.json.encode([self._json(record) for record in records])).decode())
        elif form == "jsonl":
            self.stream(records, form)
        else:
            print_table(self.headings, [self.row(record) for record in records])

    def stream(self, records: Iterable[Any], form: str) -> None:
        """Print records one a line, without a table around them."""
        for record in records:
            if form == "jsonl":
                _write(msgspec.json.encode(self._json(record)).decode())
            else:
                _write("  ".join(printable(cell) for cell in self.row(record) if cell))

    def run(self, window: Window, query: Callable[..., Sequence[Any]]) -> None:
        """Print the records of a window; when following, go on with what is new until Ctrl-C.

        :param query: a method of the store that takes ``since``, ``after_id``, ``limit``
        :raises UsageError: when one JSON document was asked for that has no end
        """
        if window.follow and window.form == "json":
            msg = "--follow has no end, so it cannot print one JSON document"
            raise UsageError(msg, hint="use -f jsonl")
        records = query(since=window.since, limit=window.limit)
        if not window.follow:
            self.show(records, window.form)
            return
        last = 0
        with suppress(KeyboardInterrupt):
            while True:
                self.stream(records, window.form)
                sys.stdout.flush()
                last = max((record.id for record in records), default=last)
                time.sleep(POLL_S)
                records = query(since=window.since, after_id=last)

    def _json(self, record: Any) -> dict[str, Any]:
        return {name: _stamp(name, value) for name, value in self.document(record).items()}


def flat(record: msgspec.Struct, inner: str) -> dict[str, Any]:
    """Return a record with the fields of its inner value beside its own."""
    document: dict[str, Any] = msgspec.to_builtins(record)
    return {**document.pop(inner), **document}


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: with colours and fitted to a terminal, else plain and complete."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_rich(headings, cells)
        return
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    for row in (headings, *cells):
        _write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_rich(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415  # 60 ms, and only for a terminal
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    Console(no_color="NO_COLOR" in os.environ or None).print(table)


_STYLES: Final = {
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "killed": "bold green",
    "denied": "bold green",
    "refused": "bold green",
    "deny": "bold green",
}


def local_time(at: float | None) -> str:
    """Return a time for people, in this host's zone, or ``-`` for none."""
    if not at:
        return "-"
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def short(identifier: str) -> str:
    """Return the first digits of an id."""
    return identifier.removeprefix("sha256:")[:12]


def _stamp(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stamp(key, item) for key, item in value.items()}
    if name in _TIMES and isinstance(value, float):
        moment = datetime.fromtimestamp(value, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if value else None
    return value


def _write(line: str) -> None:
    click.echo(line)
