"""Insert a row or merge it into the one with its key: one statement, the same on SQLite and PostgreSQL."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, case, func
from sqlalchemy.dialects import postgresql, sqlite

Merge = Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[Any]]
"""What a column becomes, of its value in the table and the value that comes."""


def kept(old: ColumnElement[Any], new: ColumnElement[Any]) -> ColumnElement[Any]:
    """Keep what was written first."""
    del new
    return old


def added(old: ColumnElement[Any], new: ColumnElement[Any]) -> ColumnElement[Any]:
    """Add up."""
    return old + new


def least(old: ColumnElement[Any], new: ColumnElement[Any]) -> ColumnElement[Any]:
    """Keep the smaller value."""
    return case((old < new, old), else_=new)


def greatest(old: ColumnElement[Any], new: ColumnElement[Any]) -> ColumnElement[Any]:
    """Keep the greater value."""
    return case((old > new, old), else_=new)


def unless_empty(old: ColumnElement[Any], new: ColumnElement[Any]) -> ColumnElement[Any]:
    """Take the new text unless it is empty."""
    return func.coalesce(func.nullif(new, ""), old)


def upsert(
    connection: Connection,
    table: Table,
    keys: Iterable[str],
    values: Mapping[str, object] | list[dict[str, object]],
    merge: Mapping[str, Merge] | None = None,
    *,
    newer: str | None = None,
) -> None:
    """Insert rows, or merge each into the row with the same key.

    :param keys: the columns of the primary key or of a unique constraint
    :param values: one row, or a list of rows that have the same columns and may repeat a key
    :param merge: how columns are merged; a column that is not named takes its new value
    :param newer: a column that decides: a row whose value is smaller than the table's changes nothing
    """
    rows = values if isinstance(values, list) else [dict(values)]
    if not rows:
        return
    names, merge = set(keys), merge or {}
    fresh = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
    old, new = table.c, fresh.excluded
    renewed = {name: merge[name](old[name], new[name]) if name in merge else new[name] for name in rows[0]}
    renewed = {name: value for name, value in renewed.items() if name not in names}
    if renewed:
        where = None if newer is None else old[newer] <= new[newer]
        statement = fresh.on_conflict_do_update(index_elements=sorted(names), set_=renewed, where=where)
    else:
        statement = fresh.on_conflict_do_nothing(index_elements=sorted(names))
    connection.execute(statement, rows)
