"""Where a command's document goes: standard output, a new file, or in place of an old one."""

import os
from contextlib import suppress
from pathlib import Path

import click

from pratique.errors import UsageError


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


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: whoever reads it sees the old content or the new.

    A device or a pipe is written to, a symlink is followed: neither is ever replaced.

    :raises UsageError: when it cannot be written
    """
    if path.exists() and not path.is_file():
        _write_to(path, content)
        return
    path = path.resolve()
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with beside.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise _refused(path, error) from error


def _write_to(path: Path, content: bytes) -> None:
    try:
        with path.open("wb") as stream:
            stream.write(content)
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"{path} cannot be written: {error.strerror}", hint="check the directory, its owner and the room on its disk"
    )
