"""Writes a file whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

from pratique.errors import UsageError


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
