"""Zip files of advisories, one JSON document an entry, as OSV publishes them.

Whoever wrote the file may be hostile: its directory, its number of entries and what they unpack to are bounded before
and while they are read, and an entry's name is never used for anything but messages.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct

from pratique.errors import AdvisoryError


class ArchiveLimits(Struct, frozen=True):
    """What is too much. The largest published files have about 300,000 entries and some GB unpacked."""

    archive_bytes: int = 4 << 30
    directory_bytes: int = 64 << 20
    entries: int = 600_000
    entry_bytes: int = 8 << 20
    total_bytes: int = 32 << 30
    ratio: int = 250
    """Unpacked bytes for one byte of the file; the denser a bomb, the higher."""


LIMITS: Final = ArchiveLimits()
_END_OF_DIRECTORY: Final = struct.Struct("<4s4H2LH")
_LOCATOR_64: Final = struct.Struct("<4sLQL")
_END_OF_DIRECTORY_64: Final = struct.Struct("<4sQ2H2L4Q")
_LONGEST_COMMENT: Final = 0xFFFF
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error, ValueError)
_FORMATS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class BrokenEntry(Struct, frozen=True):
    """An entry that cannot be read, and why."""

    name: str
    reason: str


def read_documents(path: Path, limits: ArchiveLimits = LIMITS) -> Iterator[tuple[str, bytes] | BrokenEntry]:
    """Yield name and content of each JSON entry of a zip, in the order of its directory.

    :raises AdvisoryError: when the file cannot be read, is no zip, or exceeds a limit
    """
    try:
        if path.exists() and not path.is_file():
            msg = f"advisory file {path} is not a file"
            raise AdvisoryError(msg)
        with path.open("rb") as stream:
            size = _check_directory(stream, path, limits)
            with zipfile.ZipFile(stream) as archive:
                entries = [entry for entry in archive.infolist() if entry.filename.endswith(".json")]
                _check_entries(entries, size, path, limits)
                for entry in entries:
                    yield _read(archive, entry, limits)
    except OSError as error:
        msg = f"advisory file {path} cannot be read: {error.strerror or error}"
        raise AdvisoryError(msg) from error
    except _BROKEN as error:
        msg = f"advisory file {path} is not a valid zip: {error}"
        raise AdvisoryError(msg) from error


def _check_directory(stream: BinaryIO, path: Path, limits: ArchiveLimits) -> int:
    """Bound the directory before :mod:`zipfile` reads all of it into memory; return the file's size.

    Source: PKWARE APPNOTE 6.3.10, sections 4.3.14 to 4.3.16.
    """
    size = stream.seek(0, 2)
    if size > limits.archive_bytes:
        raise _too_large(path, f"has {size} bytes", limits.archive_bytes)
    start = max(size - _LONGEST_COMMENT - _END_OF_DIRECTORY.size - _LOCATOR_64.size, 0)
    stream.seek(start)
    tail = stream.read()
    position = tail.rfind(b"PK\5\6")
    if position < 0 or position + _END_OF_DIRECTORY.size > len(tail):
        msg = f"advisory file {path} is not a valid zip: no end of central directory"
        raise AdvisoryError(msg)
    directory = _END_OF_DIRECTORY.unpack_from(tail, position)[5]
    locator = position - _LOCATOR_64.size
    if locator >= 0 and tail.startswith(b"PK\6\7", locator):
        stream.seek(min(_LOCATOR_64.unpack_from(tail, locator)[2], size))
        record = stream.read(_END_OF_DIRECTORY_64.size)
        if len(record) == _END_OF_DIRECTORY_64.size:
            directory = max(directory if directory != 0xFFFFFFFF else 0, _END_OF_DIRECTORY_64.unpack(record)[8])
    if directory > limits.directory_bytes:
        raise _too_large(path, f"has a directory of {directory} bytes", limits.directory_bytes)
    before = _LOCATOR_64.size + _END_OF_DIRECTORY_64.size  # in a large zip they lie between the directory and its end
    stream.seek(max(start + position - before - directory, 0))
    entries = stream.read(before + directory).count(b"PK\1\2")  # those that are claimed are no bound: nobody heeds them
    if entries > limits.entries:
        raise _too_large(path, f"has {entries} entries", limits.entries)
    return size


def _check_entries(entries: list[zipfile.ZipInfo], size: int, path: Path, limits: ArchiveLimits) -> None:
    if not entries:
        msg = f"advisory file {path} holds no JSON document"
        raise AdvisoryError(msg)
    total = sum(entry.file_size for entry in entries)
    if total > limits.total_bytes:
        raise _too_large(path, f"unpacks to {total} bytes", limits.total_bytes)
    if total > size * limits.ratio:
        raise _too_large(path, f"unpacks to {total // size} times its size", limits.ratio)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: ArchiveLimits) -> tuple[str, bytes] | BrokenEntry:
    if entry.file_size > limits.entry_bytes:
        return BrokenEntry(entry.filename, f"unpacks to {entry.file_size} bytes, more than {limits.entry_bytes}")
    if entry.compress_type not in _FORMATS:
        return BrokenEntry(entry.filename, f"compression method {entry.compress_type} is not supported")
    try:
        # zipfile stops at the size that the directory declares, which is bounded above, and checks the CRC there
        return entry.filename, archive.read(entry)
    except _BROKEN as error:
        return BrokenEntry(entry.filename, str(error))


def _too_large(path: Path, what: str, limit: int) -> AdvisoryError:
    return AdvisoryError(f"advisory file {path} {what}, more than {limit}")
