"""How values become columns and come back."""

import zlib
from typing import Any, Final, TypeVar

import msgspec

from pratique.errors import StoreError

MAX_DOCUMENT_BYTES: Final = 256 << 20
"""The largest report that is unpacked: a damaged or planted blob must not fill the memory."""

_DAMAGED: Final = "keep the store for inquiry, move it away and start again"

Value = TypeVar("Value")


def text(value: str) -> str:
    """Return the text without lone surrogates, which JSON and SQLite do not take, and NULs, which PostgreSQL does not.

    Names come from attackers.
    """
    return value.replace("\x00", "?").encode("utf-8", "replace").decode("utf-8")


def pack(value: msgspec.Struct) -> bytes:
    """Return a value as JSON."""
    return msgspec.json.encode(_clean(msgspec.to_builtins(value)))


def unpack(blob: bytes, kind: type[Value]) -> Value:
    """Return the value in a column.

    :raises StoreError: when it is not what :func:`pack` wrote
    """
    try:
        return msgspec.json.decode(blob, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        msg = f"the store holds a broken {kind.__name__}: {error}"
        raise StoreError(msg, hint=_DAMAGED) from error


def convert(fields: dict[str, object], kind: type[Value]) -> Value:
    """Return the value in several columns.

    :raises StoreError: when somebody else wrote them
    """
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        msg = f"the store holds a broken {kind.__name__}: {error}"
        raise StoreError(msg, hint=_DAMAGED) from error


def compress(value: msgspec.Struct) -> bytes:
    """Return a value as deflated JSON."""
    return zlib.compress(pack(value))


def decompress(blob: bytes, kind: type[Value]) -> Value:
    """Return the value in a compressed column.

    :raises StoreError: when it is not what :func:`compress` wrote
    """
    inflater = zlib.decompressobj()
    try:
        document = inflater.decompress(blob, MAX_DOCUMENT_BYTES)
    except zlib.error as error:
        msg = f"the store holds a broken {kind.__name__}: {error}"
        raise StoreError(msg, hint=_DAMAGED) from error
    if not inflater.eof:
        msg = f"the store holds a {kind.__name__} that is cut short or larger than {MAX_DOCUMENT_BYTES} bytes"
        raise StoreError(msg, hint=_DAMAGED)
    return unpack(document, kind)


def _clean(value: Any) -> Any:
    match value:
        case str():
            return text(value)
        case dict():
            return {_clean(key): _clean(item) for key, item in value.items()}
        case list() | tuple():
            return [_clean(item) for item in value]
        case _:
            return value
