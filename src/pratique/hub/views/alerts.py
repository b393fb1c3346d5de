"""What a person should know."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from pratique.detections import RULES
from pratique.hub.desk import Desk
from pratique.hub.problems import NotFoundError
from pratique.hub.views.asks import Cursor, Hours, Limit, Text, next_of
from pratique.model import Action, Severity, Technique
from pratique.store import AlertRecord
from pratique.store.pages import Filter

_AROUND_S: Final = 300.0
_MAX_AROUND: Final = 100


class AlertsAsk(Struct, frozen=True):
    """Which alerts."""

    severity: Severity | None = None
    """At least so bad."""
    rule: Text = ""
    image: Text = ""
    container: Text = ""
    hours: Hours = 24 * 30
    cursor: Cursor = ""
    limit: Limit = 50


class AlertAsk(Struct, frozen=True):
    """One alert."""

    id: Annotated[int, Meta(ge=1, le=2**53)]


class AlertItem(Struct, frozen=True):
    """An alert and how often it came."""

    id: int
    at: float
    last_at: float
    count: int
    rule: str
    severity: Severity
    title: str
    action: Action
    techniques: tuple[Technique, ...]
    image: str
    image_name: str
    container: str
    container_name: str
    evidence: dict[str, str]


class AlertList(Struct, frozen=True):
    """A page of alerts, the newest first."""

    items: tuple[AlertItem, ...]
    next: str


class AlertDetail(Struct, frozen=True):
    """One alert, why the rule exists, and what else the container did within five minutes of it."""

    alert: AlertItem
    why: str
    around: tuple[AlertItem, ...]
    """In order of time; the alert itself is among them."""


def alerts(desk: Desk, ask: AlertsAsk) -> AlertList:
    """Return a page of alerts."""
    only = Filter(
        since=desk.now() - ask.hours * 3600.0,
        images=(ask.image,) if ask.image else None,
        containers=(ask.container,) if ask.container else None,
        rule=ask.rule,
        at_least=ask.severity.rank if ask.severity is not None else 0,
    )
    found = desk.store.pages.alerts(ask.limit, ask.cursor, only=only)
    return AlertList(items=alert_items(desk, found), next=next_of(found, ask.limit))


def alert(desk: Desk, ask: AlertAsk) -> AlertDetail:
    """Return one alert.

    :raises NotFoundError: when it is not there, or not any more
    """
    record = desk.store.pages.alert(ask.id)
    if record is None:
        msg = f"there is no alert {ask.id}"
        raise NotFoundError(msg, hint="alerts are forgotten after 'retention_days'")
    rule = RULES.get(record.alert.rule)
    around = [record]
    if record.alert.container:
        only = Filter(
            since=record.alert.at - _AROUND_S, until=record.last_at + _AROUND_S, containers=(record.alert.container,)
        )
        others = desk.store.pages.alerts(_MAX_AROUND, only=only)
        around += [other for other in others if other.id != record.id]
    around.sort(key=lambda one: (one.alert.at, one.id))
    return AlertDetail(
        alert=alert_items(desk, [record])[0], why=rule.why if rule else "", around=alert_items(desk, around)
    )


def alert_items(desk: Desk, records: list[AlertRecord]) -> tuple[AlertItem, ...]:
    """Return alerts with the names of their images as they are now."""
    names = desk.store.pages.names(record.alert.image for record in records)
    return tuple(alert_item(record, names) for record in records)


def alert_item(record: AlertRecord, names: dict[str, str]) -> AlertItem:
    """Return one alert.

    :param names: image id → name
    """
    alert = record.alert
    return AlertItem(
        id=record.id,
        at=alert.at,
        last_at=record.last_at,
        count=record.count,
        rule=alert.rule,
        severity=alert.severity,
        title=alert.title,
        action=alert.action,
        techniques=alert.techniques,
        image=alert.image,
        image_name=alert.image_name or names.get(alert.image, ""),
        container=alert.container,
        container_name=alert.container_name,
        evidence=alert.evidence,
    )
