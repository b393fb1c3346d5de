"""Flows, alerts, decisions and state on one connection: what grows with time."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Column, Connection, Row, Select, Table, bindparam, delete, insert, select, update

from pratique.errors import StoreError
from pratique.model import Alert, Decision, Flow, FlowVerdict, Severity
from pratique.store import chain
from pratique.store.edges import add_edges, prune_edges
from pratique.store.encoding import convert, pack, text, unpack
from pratique.store.records import AlertRecord, ChainCheck, DecisionRecord, FlowRecord
from pratique.store.schema import ALERTS, DECISIONS, FLOWS, STATE
from pratique.store.upsert import added, greatest, least, unless_empty, upsert

REPETITION_S: Final = 60.0
"""Alerts with one key that begin within this time of the first are one row."""
_KEYS_AT_ONCE: Final = 500
_MAX_COUNTER: Final = 2**62
_CHAIN_END: Final = "decisions_end"
_FLOW_KEY: Final = ("container", "image", "direction", "protocol", "address", "port", "verdict")
_FLOW_MERGE: Final = {
    "packets": added,
    "bytes": added,
    "first_seen": least,
    "last_seen": greatest,
    "command": unless_empty,
}


class Window(Struct, frozen=True):
    """Which rows of a journal are asked for."""

    since: float = 0.0
    after_id: int = 0
    images: Collection[str] | None = None
    limit: int | None = None


def add_flows(connection: Connection, flows: Iterable[Flow]) -> None:
    """Insert flows or add to their counters."""
    batch = list(flows)
    upsert(connection, FLOWS, _FLOW_KEY, [_flow_row(flow) for flow in batch], _FLOW_MERGE)
    add_edges(connection, batch)


def flows(connection: Connection, window: Window, verdicts: Collection[FlowVerdict] | None) -> list[FlowRecord]:
    """Return flows of a window."""
    query = select(FLOWS)
    if verdicts is not None:
        query = query.where(FLOWS.c.verdict.in_([verdict.value for verdict in verdicts]))
    return [_flow(row) for row in _rows(connection, query, FLOWS, FLOWS.c.last_seen, window)]


class _Repeated(Struct):
    """A row of alerts that repetitions are counted in; ``id`` is None while it is not written yet."""

    id: int | None
    at: float
    last_at: float
    times: int
    changed: bool = False

    def takes(self, alert: Alert) -> bool:
        return self.at <= alert.at < self.at + REPETITION_S


def add_alerts(connection: Connection, alerts: Iterable[Alert]) -> None:
    """Insert alerts, or count them where they repeat; few statements, whatever their number."""
    batch = list(alerts)
    rows = _known_alerts(connection, batch)
    new: list[tuple[_Repeated, Alert]] = []
    for alert in batch:
        of_key = rows.setdefault(text(alert.key), [])
        row = next((row for row in reversed(of_key) if alert.key and row.takes(alert)), None)
        if row is None:
            row = _Repeated(None, alert.at, alert.at, 1)
            of_key.append(row)
            new.append((row, alert))
        else:
            row.times += 1
            row.last_at = max(row.last_at, alert.at)
            row.changed = row.id is not None
    changed = [
        {"row": row.id, "new_times": row.times, "new_last_at": row.last_at}
        for of_key in rows.values()
        for row in of_key
        if row.changed
    ]
    if changed:
        renew = update(ALERTS).values(times=bindparam("new_times"), last_at=bindparam("new_last_at"))
        connection.execute(renew.where(ALERTS.c.id == bindparam("row")), changed)
    if new:
        connection.execute(insert(ALERTS), [_alert_row(row, alert) for row, alert in new])


def _known_alerts(connection: Connection, batch: list[Alert]) -> dict[str, list[_Repeated]]:
    """Return the rows that the alerts of a batch may repeat, by key, oldest first."""
    rows: dict[str, list[_Repeated]] = {}
    keys = sorted({text(alert.key) for alert in batch if alert.key})
    begin = min((alert.at for alert in batch), default=0.0) - REPETITION_S
    columns = select(ALERTS.c.key, ALERTS.c.id, ALERTS.c.at, ALERTS.c.last_at, ALERTS.c.times).order_by(ALERTS.c.id)
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[start : start + _KEYS_AT_ONCE]
        for row in connection.execute(columns.where(ALERTS.c.key.in_(some), ALERTS.c.at > begin)):
            rows.setdefault(row.key, []).append(_Repeated(row.id, row.at, row.last_at, row.times))
    return rows


def alerts(connection: Connection, window: Window, at_least: Severity) -> list[AlertRecord]:
    """Return alerts of a window."""
    query = select(ALERTS).where(ALERTS.c.rank >= at_least.rank)
    return [
        AlertRecord(row.id, unpack(row.document, Alert), row.times, row.last_at)
        for row in _rows(connection, query, ALERTS, ALERTS.c.last_at, window)
    ]


def prune(connection: Connection, before: float, max_rows: int) -> int:
    """Delete flows, with the edges that they made, and alerts by age, and by number; return how many of both."""
    prune_edges(connection, before)
    deleted = 0
    for table, time in ((FLOWS, FLOWS.c.last_seen), (ALERTS, ALERTS.c.last_at)):
        deleted += connection.execute(delete(table).where(time < before)).rowcount
        surplus = select(table.c.id).order_by(time.desc()).offset(max_rows)
        deleted += connection.execute(delete(table).where(table.c.id.in_(surplus))).rowcount
    return deleted


def append_decisions(connection: Connection, decisions: Iterable[Decision]) -> None:
    """Append decisions and move the end of the chain."""
    rows = []
    number, digest = _parse_end(connection)
    for decision in decisions:
        number += 1
        fields = _decision_fields(decision)
        digest = chain.link(digest, number, fields)
        rows.append({**fields, "id": number, "hash": digest})
    if rows:
        connection.execute(insert(DECISIONS), rows)
        set_state(connection, _CHAIN_END, chain.head(number, digest))


def decisions(connection: Connection, window: Window) -> list[DecisionRecord]:
    """Return decisions of a window."""
    return [
        DecisionRecord(row.id, _decision(row), row.hash)
        for row in _rows(connection, select(DECISIONS), DECISIONS, DECISIONS.c.at, window)
    ]


def verify_decisions(connection: Connection) -> ChainCheck:
    """Check the chain, one record at a time."""
    query = select(DECISIONS).order_by(DECISIONS.c.id).execution_options(yield_per=1000)
    end = _chain_end(connection)
    with connection.execute(query) as rows:
        links = (
            chain.Link(row.id, row.hash, {name: getattr(row, name) for name in Decision.__struct_fields__})
            for row in rows
        )
        return chain.verify(links, end)


def set_state(connection: Connection, key: str, value: str) -> None:
    """Insert or renew a value."""
    upsert(connection, STATE, ["key"], {"key": text(key), "value": text(value)})


def _rows(
    connection: Connection, query: Select[Any], table: Table, time: Column[float], window: Window
) -> Sequence[Row[Any]]:
    """Run a query over a window: in order of id, and the newest ones where there is a limit."""
    query = query.where(table.c.id > window.after_id, time >= window.since)
    if window.images is not None:
        query = query.where(table.c.image.in_(window.images))
    if window.limit is None:
        return connection.execute(query.order_by(table.c.id)).all()
    newest = connection.execute(query.order_by(table.c.id.desc()).limit(window.limit)).all()
    return newest[::-1]


def _flow_row(flow: Flow) -> dict[str, object]:
    row = {name: getattr(flow, name) for name in Flow.__struct_fields__}
    row.update({name: text(row[name]) for name in ("container", "image", "address", "command")})
    row.update({name: row[name].value for name in ("direction", "protocol", "verdict")})
    row.update({name: min(row[name], _MAX_COUNTER) for name in ("packets", "bytes")})
    return row


def _flow(row: Row[Any]) -> FlowRecord:
    fields = {name: getattr(row, name) for name in Flow.__struct_fields__}
    return FlowRecord(row.id, convert(fields, Flow))


def _alert_row(row: _Repeated, alert: Alert) -> dict[str, object]:
    return {
        "key": text(alert.key),
        "at": alert.at,
        "last_at": row.last_at,
        "times": row.times,
        "rule": text(alert.rule),
        "rank": alert.severity.rank,
        "image": text(alert.image),
        "container": text(alert.container),
        "document": pack(alert),
    }


def _decision_fields(decision: Decision) -> dict[str, object]:
    # Exactly what the columns give back, so that the hash of what is read is the hash of what was written.
    fields = {name: text(getattr(decision, name)) for name in Decision.__struct_fields__ if name != "at"}
    return {"at": float(decision.at), **fields}


def _decision(row: Row[Any]) -> Decision:
    return convert({name: getattr(row, name) for name in Decision.__struct_fields__}, Decision)


def _chain_end(connection: Connection) -> str:
    return connection.execute(select(STATE.c.value).where(STATE.c.key == _CHAIN_END)).scalar() or ""


def _parse_end(connection: Connection) -> tuple[int, str]:
    end = _chain_end(connection)
    try:
        return chain.parse_head(end)
    except ValueError as error:
        msg = f"the end of the chain of decisions was changed to {end[:100]!r}"
        raise StoreError(msg, hint="'pratique decisions --verify' finds the records at fault") from error
