"""What runs on this host, and under which policy."""

from typing import Final

from msgspec import Struct

from pratique.hub.desk import Desk
from pratique.hub.problems import NotFoundError
from pratique.hub.views.alerts import AlertItem, alert_items
from pratique.hub.views.asks import ContainerKey, Cursor, Limit, Text
from pratique.hub.views.flows import FlowItem, flow_items
from pratique.hub.views.processes import Process, process_tree
from pratique.model import DriftMode, EgressMode, Mount
from pratique.policy import Allow
from pratique.store import ContainerRecord, Quarantine
from pratique.store.pages import Filter, place

_MAX_FLOWS: Final = 100
_MAX_ALERTS: Final = 100


class ContainersAsk(Struct, frozen=True):
    """Which containers."""

    image: Text = ""
    removed: bool = False
    """Removed ones as well."""
    cursor: Cursor = ""
    limit: Limit = 50


class ContainerAsk(Struct, frozen=True):
    """One container."""

    id: ContainerKey


class ContainerItem(Struct, frozen=True):
    """A container."""

    id: str
    name: str
    image: str
    image_name: str
    image_reference: str
    """As whoever created it named the image."""
    policy: str
    """The policy's entry that it is under; ``unlisted``."""
    admitted: bool
    state: str
    """``running``, ``stopped``, ``removed``."""
    quarantined: bool
    addresses: tuple[str, ...]
    first_seen: float
    gone_at: float | None


class ContainerList(Struct, frozen=True):
    """A page of containers, the newest first."""

    items: tuple[ContainerItem, ...]
    next: str


class PolicyOfImage(Struct, frozen=True):
    """What holds for a container by its image."""

    name: str
    listed: bool
    egress: EgressMode
    drift: DriftMode
    allow: tuple[Allow, ...]


class Moment(Struct, frozen=True):
    """Something that happened, at a time."""

    at: float
    kind: str
    """``begin``, ``alert``, ``flow``, ``quarantine``, ``end``."""
    title: str
    detail: str = ""
    bad: bool = False
    alert: int = 0
    """The id of the alert that tells more."""


class ContainerDetail(Struct, frozen=True):
    """One container and what it did."""

    container: ContainerItem
    labels: dict[str, str]
    mounts: tuple[Mount, ...]
    created_at: float
    policy: PolicyOfImage
    quarantine: Quarantine | None
    timeline: tuple[Moment, ...]
    """The newest first."""
    processes: tuple[Process, ...]
    """Programs that alerts were raised about, below the programs that started them."""
    flows: tuple[FlowItem, ...]
    alerts: tuple[AlertItem, ...]


def containers(desk: Desk, ask: ContainersAsk) -> ContainerList:
    """Return a page of containers."""
    images = (ask.image,) if ask.image else None
    found = desk.store.pages.containers(ask.limit, ask.cursor, images=images, gone=ask.removed)
    items = container_items(desk, found)
    full = len(found) == ask.limit
    return ContainerList(items=items, next=place(found[-1].first_seen, found[-1].container.id) if full else "")


def container(desk: Desk, ask: ContainerAsk) -> ContainerDetail:
    """Return one container.

    :raises NotFoundError: when there is none with this id, or several whose ids begin so
    """
    record = find(desk, ask.id)
    only = Filter(containers=(record.container.id,))
    flows = flow_items(desk, desk.store.pages.flows(_MAX_FLOWS, only=only))
    alerts = alert_items(desk, desk.store.pages.alerts(_MAX_ALERTS, only=only))
    quarantine = next((one for one in desk.store.quarantines.all() if one.container == record.container.id), None)
    return ContainerDetail(
        container=container_items(desk, [record])[0],
        labels=record.container.labels,
        mounts=record.container.mounts,
        created_at=record.container.created_at,
        policy=policy_of(desk, record.container.image),
        quarantine=quarantine,
        timeline=_timeline(record, alerts, flows, quarantine),
        processes=process_tree(alerts),
        flows=flows,
        alerts=alerts,
    )


def find(desk: Desk, container_id: str) -> ContainerRecord:
    """Return a container.

    :raises NotFoundError: when there is none with this id, or several whose ids begin so
    """
    record = desk.store.pages.container(container_id)
    if record is None:
        msg = f"no single container has the id {container_id}"
        raise NotFoundError(msg)
    return record


def container_items(desk: Desk, records: list[ContainerRecord]) -> tuple[ContainerItem, ...]:
    """Return containers with the names of their images."""
    names = desk.store.pages.names(record.container.image for record in records)
    cut_off = {quarantine.container for quarantine in desk.store.quarantines.all()}
    return tuple(
        ContainerItem(
            id=record.container.id,
            name=record.container.name,
            image=record.container.image,
            image_name=names.get(record.container.image, ""),
            image_reference=record.container.image_reference,
            policy=record.policy,
            admitted=record.admitted,
            state="removed" if record.gone_at else "running" if record.container.running else "stopped",
            quarantined=record.container.id in cut_off,
            addresses=record.container.addresses,
            first_seen=record.first_seen,
            gone_at=record.gone_at,
        )
        for record in records
    )


def policy_of(desk: Desk, image_id: str) -> PolicyOfImage:
    """Return what the policy says of an image."""
    document = desk.policy()
    entry = document.image(image_id)
    rules = entry or document.unlisted
    return PolicyOfImage(
        name=entry.name if entry else "unlisted",
        listed=entry is not None,
        egress=rules.egress,
        drift=rules.drift,
        allow=rules.allow,
    )


def _timeline(
    record: ContainerRecord,
    alerts: tuple[AlertItem, ...],
    flows: tuple[FlowItem, ...],
    quarantine: Quarantine | None,
) -> tuple[Moment, ...]:
    admitted = "admitted by the guard" if record.admitted else "without the guard's admission"
    moments = [Moment(at=record.first_seen, kind="begin", title="seen for the first time", detail=admitted)]
    moments += [
        Moment(
            at=alert.at,
            kind="alert",
            title=alert.title,
            detail=" ".join(f"{name}={value}" for name, value in alert.evidence.items()),
            bad=True,
            alert=alert.id,
        )
        for alert in alerts
    ]
    moments += [
        Moment(
            at=flow.first_seen,
            kind="flow",
            title=f"{flow.verdict} {flow.direction} {flow.protocol} {flow.address}:{flow.port}",
            detail=f"{flow.packets} packets{f' by {flow.command}' if flow.command else ''}",
            bad=flow.verdict == "denied",
        )
        for flow in flows
    ]
    if quarantine is not None:
        moments.append(
            Moment(at=quarantine.at, kind="quarantine", title="put in quarantine", detail=quarantine.reason, bad=True)
        )
    if record.gone_at is not None:
        moments.append(Moment(at=record.gone_at, kind="end", title="removed"))
    return tuple(sorted(moments, key=lambda moment: -moment.at))
