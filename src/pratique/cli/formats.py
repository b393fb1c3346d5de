"""``-f FORMAT[=FILE]``: one run, one report, as many documents as there are readers."""

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from msgspec import Struct

from pratique.cli.output import replace_file
from pratique.errors import UsageError
from pratique.model import Report
from pratique.report import Format, Judgement, render

_NAMES: Final = tuple(form.value for form in Format)
_WIDTH: Final = 120
_Command = TypeVar("_Command", bound=Callable[..., Any])


class Wanted(Struct, frozen=True):
    """One document: in which format, and where to; None: standard output."""

    form: Format
    file: Path | None = None


class FormatType(click.ParamType[Wanted]):
    """``sarif`` or ``sarif=report.sarif``."""

    name = "format"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return what the help shows for the value."""
        del param, ctx
        return "FORMAT[=FILE]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Wanted:
        """Read one value of the option."""
        name, wants_file, file = str(value).partition("=")
        if name not in _NAMES:
            self.fail(f"{name!r} is not one of {', '.join(_NAMES)}", param, ctx)
        if wants_file and not file:
            self.fail(f"{value!r} names no file", param, ctx)
        return Wanted(Format(name), Path(file) if file else None)


def format_option(command: _Command) -> _Command:
    """Add ``-f`` to a command, which gets it as ``formats``."""
    option = click.option(
        "-f",
        "--format",
        "formats",
        type=FormatType(),
        multiple=True,
        help=f"How to show the report, and where to write it; repeatable. {', '.join(_NAMES)}.",
    )
    return option(command)


def format_options(command: _Command) -> _Command:
    """Add ``-f`` and ``-o`` to a command, which gets them as ``formats`` and ``output``."""
    output = click.option(
        "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the report here."
    )
    return format_option(output(command))


def resolve(formats: Sequence[Wanted], output: Path | None) -> tuple[Wanted, ...]:
    """Return the documents that are wanted; a table on standard output where nothing was said.

    :raises UsageError: when two of them would be written to one place
    """
    wanted = tuple(formats) or (Wanted(Format.TABLE),)
    if output is not None:
        open_ended = [entry for entry in wanted if entry.file is None]
        if len(open_ended) != 1:
            msg = f"-o {output} is for the one format without a file, and there are {len(open_ended)}"
            raise UsageError(msg, hint="write -f FORMAT=FILE for each")
        wanted = tuple(Wanted(entry.form, entry.file or output) for entry in wanted)
    places = [entry.file.resolve() if entry.file else None for entry in wanted]
    if len(set(places)) < len(places):
        msg = "two formats would be written to one place"
        raise UsageError(msg, hint="write -f FORMAT=FILE for each")
    return wanted


def write(report: Report, wanted: Sequence[Wanted], judgement: Judgement | None = None) -> None:
    """Render and write every document.

    :raises UsageError: when a file cannot be written
    """
    for entry in wanted:
        width = shutil.get_terminal_size().columns if entry.file is None and sys.stdout.isatty() else _WIDTH
        text = render(report, entry.form, width=width, judgement=judgement)
        if entry.file is None:
            click.echo(text, nl=False)
        else:
            replace_file(entry.file, text.encode())
