"""Numbers for texts that large tables would otherwise repeat: digests, paths, packages."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Table,
    any_,
    bindparam,
    func,
    insert,
    select,
    tuple_,
)

Item = TypeVar("Item")
Key = tuple[Any, ...]

_VALUES_AT_ONCE: Final = 2000
"""In one statement; SQLite takes 32,766 and PostgreSQL 65,535."""


def chunks(items: Collection[Item], columns: int = 1) -> Iterator[Sequence[Item]]:
    """Yield items in pieces that one statement takes, each with so many values."""
    size = max(_VALUES_AT_ONCE // columns, 1)
    ordered = list(items)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def among(connection: Connection, column: Column[int], numbers: Iterable[int]) -> ColumnElement[bool]:
    """Return the condition that a column is one of many numbers, however many: they are one parameter."""
    wanted = sorted(set(numbers))
    if connection.dialect.name == "postgresql":
        return column == any_(bindparam(None, wanted, type_=ARRAY(BigInteger)))
    listed = func.json_each(json.dumps(wanted)).table_valued("value")
    return column.in_(select(listed.c.value))


def number_rows(
    connection: Connection, table: Table, keys: Sequence[str], rows: Iterable[Mapping[str, object]]
) -> dict[Key, int]:
    """Return the number of each row, by its key columns in the order given; rows that are not there are inserted.

    :param rows: with all columns of the table but ``number``
    """
    wanted = {tuple(row[name] for name in keys): row for row in rows}
    found = _found(connection, table, keys, wanted.keys())
    missing = [dict(row) for key, row in wanted.items() if key not in found]
    if missing:
        connection.execute(insert(table), missing)
        found |= _found(connection, table, keys, [key for key in wanted if key not in found])
    return found


def number_texts(connection: Connection, table: Table, column: str, texts: Iterable[str]) -> dict[str, int]:
    """Return the number of each text of a table with one column."""
    numbered = number_rows(connection, table, (column,), [{column: one} for one in texts])
    return {key[0]: number for key, number in numbered.items()}


def _found(connection: Connection, table: Table, keys: Sequence[str], wanted: Collection[Key]) -> dict[Key, int]:
    columns = [table.c[name] for name in keys]
    found: dict[Key, int] = {}
    for some in chunks(wanted, len(keys)):
        values = [key[0] for key in some] if len(keys) == 1 else some
        condition = columns[0].in_(values) if len(keys) == 1 else tuple_(*columns).in_(values)
        for number, *key in connection.execute(select(table.c.number, *columns).where(condition)):
            found[tuple(key)] = number
    return found
