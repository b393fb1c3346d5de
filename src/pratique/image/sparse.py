"""Sparse files of GNU tar: the old form and PAX versions 0.0, 0.1 and 1.0.

Source: "The GNU tar manual", section "Storing Sparse Files"; Go ``archive/tar`` for what is refused.
"""

from typing import Final

from pratique.errors import ImageError
from pratique.image.options import Options
from pratique.image.region import Region

Segments = tuple[tuple[int, int], ...]
"""(offset in the file, number of bytes), in order and without overlap; the stored bytes follow each other."""

_BLOCK: Final = 512


def gnu_segments(tar: Region, block: bytes, position: int, stored: int, options: Options) -> tuple[int, int, Segments]:
    """Read the map of an old GNU sparse entry; return logical size, where the data starts, and the segments.

    :param block: the entry's header
    :param position: just after it
    :param stored: number of bytes stored
    :raises ImageError: when the map is not valid
    """
    numbers: list[int] = []
    table, count, extended, real = block[386:482], 4, block[482], _field(tar, block[483:495])
    while True:
        for start in range(0, count * 24, 24):
            if table[start] == 0:
                break
            numbers += (_field(tar, table[start : start + 12]), _field(tar, table[start + 12 : start + 24]))
        if not extended:
            break
        if len(numbers) > 2 * options.max_sparse_segments:
            _refuse(tar, "too many segments")
        block = tar.read(position, _BLOCK)
        position += _BLOCK
        table, count, extended = block[:504], 21, block[504]
    return real, position, _checked(tar, numbers, stored, real, options)


def pax_segments(
    tar: Region, records: dict[bytes, bytes], position: int, stored: int, options: Options
) -> tuple[int, int, Segments]:
    """As :func:`gnu_segments`, from PAX records.

    :raises ImageError: when the map is not valid
    """
    real = _integer(tar, records.get(b"GNU.sparse.realsize") or records.get(b"GNU.sparse.size") or b"")
    if records.get(b"GNU.sparse.major") == b"1":
        numbers, used = _map_in_data(tar, position, stored, options)
        return real, position + used, _checked(tar, numbers, stored - used, real, options)
    text = records.get(b"GNU.sparse.map", b"")
    numbers = [_integer(tar, number) for number in text.split(b",")] if text else []
    return real, position, _checked(tar, numbers, stored, real, options)


def _map_in_data(tar: Region, position: int, stored: int, options: Options) -> tuple[list[int], int]:
    """Version 1.0 keeps its map before the data: a count, then pairs, one decimal a line, padded to a block."""
    blocks: list[bytes] = []
    wanted, lines = 1, 0
    while lines < wanted:
        if _BLOCK * (len(blocks) + 1) > stored:
            _refuse(tar, "its map is cut off")
        block = tar.read(position + _BLOCK * len(blocks), _BLOCK)
        blocks.append(block)
        lines += block.count(b"\n")
        if wanted == 1:
            count = _integer(tar, block.partition(b"\n")[0])
            if count > options.max_sparse_segments:
                _refuse(tar, "too many segments")
            wanted += 2 * count
    text = b"".join(blocks).split(b"\n")
    return [_integer(tar, line) for line in text[1:wanted]], _BLOCK * len(blocks)


def _checked(tar: Region, numbers: list[int], stored: int, real: int, options: Options) -> Segments:
    if len(numbers) % 2 or len(numbers) > 2 * options.max_sparse_segments:
        _refuse(tar, "odd or too large")
    segments = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    end = 0
    for offset, length in segments:
        if offset < end:
            _refuse(tar, "segments overlap")
        end = offset + length
    if end > real or sum(length for _, length in segments) > stored:
        _refuse(tar, "segments lie outside the file")
    return segments


def _field(tar: Region, field: bytes) -> int:
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    text = field.strip(b" \0")
    try:
        return int(text, 8) if text else 0
    except ValueError:
        return _refuse(tar, f"the number {field!r}")


def _integer(tar: Region, text: bytes) -> int:
    if not text.isdigit() or len(text) > 19:
        _refuse(tar, f"the number {text[:40]!r}")
    return int(text)


def _refuse(tar: Region, why: str) -> int:
    msg = f"{tar.name} has a sparse file with a broken map: {why}"
    raise ImageError(msg)
