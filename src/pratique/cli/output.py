"""Where a command's document goes: standard output, a new file, or in place of an old one."""

from pathlib import Path

import click

from pratique.errors import UsageError
from pratique.pipelines.replace import replace_file

__all__ = ["emit", "replace_file", "require_new"]


def require_new(output: Path | None) -> None:
    """Check, before long work, that a file may be written.

    :raises UsageError: when it is there already; people edit these files
    """
    if output is not None and output.exists():
        msg = f"{output} exists already"
        raise UsageError(msg, hint="choose another name, or move it away first")


def emit(text: str, output: Path | None) -> None:
    """Write a document to a new file, or to standard output.

    :raises UsageError: when the file is there already or cannot be written
    """
    if output is None:
        click.echo(text, nl=False)
        return
    require_new(output)
    replace_file(output, text.encode())
