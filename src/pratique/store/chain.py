"""The hash chain of decisions. Pure.

Each record's hash is SHA-256 over the hash before it and the canonical JSON of the record with its number, so that
a record that was changed, removed, inserted or moved breaks the chain at its place. The number and hash of the last
record stand in a row of ``state``, so that records cut off at the end are missed as well. Whoever can write the
whole database can forge the whole chain: the head is worth what it is compared with, a copy kept elsewhere.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from pratique.store.records import ChainCheck

GENESIS: Final = "0" * 64
"""The hash before the first record."""


class Link(Struct, frozen=True):
    """One record as the table holds it, true or not."""

    id: int
    hash: str
    fields: dict[str, object]


def link(previous: str, number: int, fields: dict[str, object]) -> str:
    """Return the hash of a record.

    :param fields: the columns of the decision
    """
    document = msgspec.json.encode({"id": number, **fields}, order="sorted")
    return hashlib.sha256(bytes.fromhex(previous) + document).hexdigest()


def head(number: int, digest: str) -> str:
    """Return the text of the row that holds the end of the chain."""
    return f"{number} {digest}"


def parse_head(value: str) -> tuple[int, str]:
    """Return number and hash of the last record; ``""`` is an empty chain.

    :raises ValueError: when the row was written by somebody else
    """
    if not value:
        return 0, GENESIS
    number, digest = value.split(" ")
    if len(bytes.fromhex(digest)) != 32 or int(number) < 1:
        raise ValueError(value)
    return int(number), digest


def verify(records: Iterable[Link], end: str) -> ChainCheck:
    """Check a whole chain.

    :param records: every record, in order of id
    :param end: the row that holds the end of the chain
    """
    previous, count = GENESIS, 0
    for record in records:
        if record.id != count + 1:
            return ChainCheck(count, previous, count + 1, f"record {count + 1} is missing, {record.id} follows {count}")
        if record.hash != link(previous, record.id, record.fields):
            return ChainCheck(count, previous, record.id, f"record {record.id} or one before it was changed")
        previous, count = record.hash, record.id
    try:
        last, digest = parse_head(end)
    except ValueError:
        return ChainCheck(count, previous, count + 1, "the row that holds the end of the chain was changed")
    if last > count:
        return ChainCheck(count, previous, count + 1, f"the last {last - count} of {last} records are missing")
    if last < count or digest != previous:
        return ChainCheck(count, previous, last + 1, f"{count - last} records were added behind the end of the chain")
    return ChainCheck(count, previous)
