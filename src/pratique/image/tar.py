"""Walks the headers of an uncompressed tar, without copying its data.

Follows what the engines' own reader accepts (Go ``archive/tar``: ustar, star, GNU long names and sparse files, PAX),
since a scanner that reads a layer differently from the engine can be lied to. Where Go refuses an archive, so do we.
Sources: POSIX pax, "The GNU tar manual: Basic Tar Format", Go archive/tar/reader.go.
"""

from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import Final

from msgspec import Struct

from pratique.errors import ImageError
from pratique.image.options import Options
from pratique.image.region import Region
from pratique.image.sparse import Segments, gnu_segments, pax_segments

BLOCK: Final = 512
_ZERO: Final = bytes(BLOCK)
_NUL: Final = b"\0"
_Extras = tuple[dict[bytes, bytes], bytes, bytes]
"""What precedes an entry: PAX records, GNU long path, GNU long link target."""
_XATTR: Final = b"SCHILY.xattr."


class Kind(Enum):
    """What an entry is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    DEVICE = "device"
    """A character or block device, or a FIFO."""
    UNKNOWN = "unknown"


_KINDS: Final = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"S": Kind.FILE,
    b"1": Kind.HARDLINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.DEVICE,
    b"4": Kind.DEVICE,
    b"5": Kind.DIRECTORY,
    b"6": Kind.DEVICE,
}
_HAS_DATA: Final = (Kind.FILE, Kind.UNKNOWN)


class Header(Struct, frozen=True):
    """One entry. ``path`` and ``target`` are as written, decoded with surrogates for what is not UTF-8."""

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    """Logical size: what a reader of the file sees."""
    offset: int
    """Where its data starts in the tar."""
    target: str = ""
    """Of a link."""
    segments: Segments | None = None
    """Of a sparse file: where its stored bytes belong."""
    xattrs: tuple[str, ...] = ()
    """Names of extended attributes."""


def walk(tar: Region, options: Options) -> Iterator[Header]:
    """Yield the entries in order, to the two zero blocks or the end of the region.

    :raises ImageError: when it is not a tar, an entry claims more than there is, or a bound is passed
    """
    position = 0
    records: dict[bytes, bytes] = {}
    long_path = long_target = b""
    while position < tar.size:
        block = tar.read(position, BLOCK)
        if block == _ZERO:
            _check_end(tar, position)
            return
        _check_sum(tar, block, position)
        size = _number(tar, block[124:136], position)
        flag = block[156:157]
        position += BLOCK
        if flag in b"xgLK":
            data = _extended(tar, position, size, options)
            position += _padded(size)
            if flag == b"x":
                records = _records(tar, data, position)
            elif flag == b"g":
                _check_global(tar, data, position)
            elif flag == b"L":
                long_path = data.partition(_NUL)[0]
            else:
                long_target = data.partition(_NUL)[0]
            continue
        header, position = _entry(tar, block, position, (records, long_path, long_target), options)
        yield header
        records, long_path, long_target = {}, b"", b""


def _entry(tar: Region, block: bytes, position: int, extras: _Extras, options: Options) -> tuple[Header, int]:
    """Return the entry whose header is ``block`` and ends at ``position``, and the position of the next header."""
    records, long_path, long_target = extras
    kind = _KINDS.get(block[156:157], Kind.UNKNOWN)
    path = long_path or records.get(b"path") or _ustar_path(block)
    target = long_target or records.get(b"linkpath") or block[157:257].partition(_NUL)[0]
    size = _number(tar, block[124:136], position)
    if b"size" in records:
        size = _decimal(tar, records[b"size"], position)
    if kind is Kind.FILE and path.endswith(b"/") and block[156:157] == _NUL:
        kind = Kind.DIRECTORY
    if kind not in _HAS_DATA:
        size = 0
    if position + size > tar.size:
        name = path.decode(errors="backslashreplace")[:200]
        msg = f"{tar.name} is truncated: its entry {name} claims {size} bytes, and {tar.size - position} are left"
        raise ImageError(msg)
    following = position + _padded(size)
    segments: Segments | None = None
    if block[156:157] == b"S":
        stored = size
        size, position, segments = gnu_segments(tar, block, position, stored, options)
        following = position + _padded(stored)
        tar.part(position, stored, f"a sparse file of {tar.name}")
    elif kind is Kind.FILE and any(key.startswith(b"GNU.sparse.") for key in records):
        path = records.get(b"GNU.sparse.name", path)
        size, position, segments = pax_segments(tar, records, position, size, options)
    return (
        Header(
            path=path.decode(errors="surrogateescape"),
            kind=kind,
            mode=_number(tar, block[100:108], position) & 0o7777,
            uid=_owner(tar, block[108:116], records.get(b"uid"), position),
            gid=_owner(tar, block[116:124], records.get(b"gid"), position),
            size=size,
            offset=position,
            target=target.decode(errors="surrogateescape"),
            segments=segments,
            xattrs=_xattrs(records) if records else (),
        ),
        following,
    )


def _ustar_path(block: bytes) -> bytes:
    name = block[:100].partition(_NUL)[0]
    if block[257:263] == b"ustar\0":
        end = 476 if block[508:512] == b"tar\0" else 500
        prefix = block[345:end].partition(_NUL)[0]
        if prefix:
            return prefix + b"/" + name
    return name


def _check_end(tar: Region, position: int) -> None:
    """Go refuses an archive with one zero block that is followed by something else; so nothing can hide behind it."""
    if position + BLOCK < tar.size and tar.read(position + BLOCK, BLOCK) != _ZERO:
        msg = f"{tar.name} is not a valid tar: a lone zero block at {position}"
        raise ImageError(msg)


def _check_sum(tar: Region, block: bytes, position: int) -> None:
    """Compare the checksum, of unsigned or (ancient) signed bytes, with the field counted as spaces."""
    claimed = _number(tar, block[148:156], position)
    unsigned = sum(block) - sum(block[148:156]) + 8 * 0x20
    if claimed == unsigned:
        return
    rest = block[:148] + block[156:]
    if claimed != unsigned - 256 * sum(byte > 127 for byte in rest):
        msg = f"{tar.name} is not a valid tar: the header at {position} has a wrong checksum"
        raise ImageError(msg)


def _number(tar: Region, field: bytes, position: int) -> int:
    value = _parsed(field)
    if value is None:
        msg = f"{tar.name} is not a valid tar: the header at {position} has the number {field!r}"
        raise ImageError(msg)
    return value


@lru_cache(4096)
def _parsed(field: bytes) -> int | None:
    """Return a number in octal, or in base 256 where the first bit is set; None where Go refuses it or it is negative.

    Modes, owners and small sizes are the same in most headers, hence the cache.
    """
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        return None if field[0] & 0x40 or value >= 1 << 63 else value
    text = field.strip(b" \0").partition(_NUL)[0]
    if not text:
        return 0
    try:
        return int(text, 8) if text.isdigit() else None
    except ValueError:
        return None


def _decimal(tar: Region, text: bytes, position: int) -> int:
    if not text.isdigit() or len(text) > 19:
        msg = f"{tar.name} is not a valid tar: the PAX records before {position} have the size {text[:40]!r}"
        raise ImageError(msg)
    return int(text)


def _owner(tar: Region, field: bytes, record: bytes | None, position: int) -> int:
    return _number(tar, field, position) if record is None else _decimal(tar, record, position)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _extended(tar: Region, position: int, size: int, options: Options) -> bytes:
    if size > options.max_extended_header_bytes:
        msg = (
            f"{tar.name}: the extended header at {position} has {size} bytes, over {options.max_extended_header_bytes}"
        )
        raise ImageError(msg)
    return tar.read(position, size)


def _records(tar: Region, data: bytes, position: int) -> dict[bytes, bytes]:
    r"""Return PAX records: ``<length> <key>=<value>\n`` over and over (POSIX pax, "pax Extended Header")."""
    records: dict[bytes, bytes] = {}
    sparse: list[bytes] = []
    start = 0
    while start < len(data):
        space = data.find(b" ", start, start + 20)
        length = data[start:space] if space > 0 else b""
        end = start + int(length) if length.isdigit() else 0
        record = data[space + 1 : end]
        key, equals, value = record.partition(b"=")
        if not start < end <= len(data) or not equals or not key or not value.endswith(b"\n") or _NUL in key:
            msg = f"{tar.name} is not a valid tar: broken PAX records before {position}"
            raise ImageError(msg)
        value = value[:-1]
        if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            sparse.append(value)  # version 0.0 repeats these two keys, pair by pair
        elif _NUL in value and key in (b"path", b"linkpath"):
            msg = f"{tar.name} is not a valid tar: a NUL in the {key.decode()} before {position}"
            raise ImageError(msg)
        records[key] = value
        start = end
    if sparse:
        records[b"GNU.sparse.map"] = b",".join(sparse)
    return records


def _check_global(tar: Region, data: bytes, position: int) -> None:
    """Go ignores global records, others apply them: refuse those that would make the two see different files."""
    records = _records(tar, data, position)
    if any(key in records for key in (b"path", b"linkpath", b"size")):
        msg = f"{tar.name} is ambiguous: global PAX records before {position} set a path or a size"
        raise ImageError(msg)


def _xattrs(records: dict[bytes, bytes]) -> tuple[str, ...]:
    return tuple(key[len(_XATTR) :].decode(errors="backslashreplace") for key in records if key.startswith(_XATTR))
