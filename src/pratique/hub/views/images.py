"""The images on this host: what was found in them, what they did, where they run."""

from collections import Counter
from typing import Final

from msgspec import Struct

from pratique.errors import UsageError
from pratique.hub.desk import Desk
from pratique.hub.problems import NotFoundError
from pratique.hub.views.asks import Cursor, ImageKey, Limit, Text
from pratique.hub.views.containers import ContainerItem, PolicyOfImage, container_items, policy_of
from pratique.model import Behaviour, Detonation, Finding, ImageIdentity, Report, Unread
from pratique.pipelines.similar import Similar, similar
from pratique.policy import explain_fault, judge_report
from pratique.store import ImageRecord, ReportSummary
from pratique.store.pages import place

_MAX_FINDINGS: Final = 500
_MAX_CONTAINERS: Final = 100
_MAX_FAMILY: Final = 8
_FAMILY_KEPT_S: Final = 10.0


class ImagesAsk(Struct, frozen=True):
    """Which images."""

    q: Text = ""
    """Part of a name or an id."""
    cursor: Cursor = ""
    limit: Limit = 50


class ImageAsk(Struct, frozen=True):
    """One image."""

    id: ImageKey


class ImageItem(Struct, frozen=True):
    """An image."""

    id: str
    name: str
    references: tuple[str, ...]
    first_seen: float
    last_seen: float
    report: ReportSummary | None
    detonation: Behaviour | None
    condemned: str
    """Why; empty when it is not."""


class ImageList(Struct, frozen=True):
    """A page of images, the one seen last first."""

    items: tuple[ImageItem, ...]
    next: str


class ImageDetail(Struct, frozen=True):
    """One image."""

    image: ImageItem
    identity: ImageIdentity
    policy: PolicyOfImage
    verdict: str
    """``passing``, ``refused`` or ``unscanned``."""
    fault: str
    """Why it may not run; empty when it may."""
    distribution: str
    packages: int
    findings: tuple[Finding, ...]
    """The worst first."""
    findings_omitted: int
    by_kind: dict[str, int]
    unread: tuple[Unread, ...]
    detonation: Detonation | None
    containers: tuple[ContainerItem, ...]
    family: tuple[Similar, ...]
    """Known images that are most like it, the nearest first."""


def images(desk: Desk, ask: ImagesAsk) -> ImageList:
    """Return a page of images."""
    found = desk.store.pages.images(ask.limit, ask.cursor, like=ask.q)
    more = place(found[-1].last_seen, found[-1].image.id) if len(found) == ask.limit else ""
    return ImageList(items=_items(desk, found), next=more)


def image(desk: Desk, ask: ImageAsk) -> ImageDetail:
    """Return one image.

    :raises NotFoundError: when there is none with this id
    """
    record = find(desk, ask.id)
    image_id = record.image.id
    report = desk.store.report(image_id)
    fault = explain_fault(judge_report(report, desk.policy().admission)) if report is not None else "not scanned yet"
    findings = sorted(report.findings, key=lambda one: (-one.severity.rank, one.rule)) if report is not None else []
    running = desk.store.pages.containers(_MAX_CONTAINERS, images=(image_id,))
    return ImageDetail(
        image=_items(desk, [record])[0],
        identity=record.image,
        policy=policy_of(desk, image_id),
        verdict=_verdict(report, fault),
        fault=fault,
        distribution=report.distribution if report else "",
        packages=len(report.packages) if report else 0,
        findings=tuple(findings[:_MAX_FINDINGS]),
        findings_omitted=max(0, len(findings) - _MAX_FINDINGS),
        by_kind=dict(Counter(finding.kind.value for finding in findings)),
        unread=report.unread[:_MAX_CONTAINERS] if report else (),
        detonation=desk.store.detonations.get(image_id),
        containers=container_items(desk, running),
        family=desk.memory.within(_FAMILY_KEPT_S, ("family", image_id), lambda: _family(desk, image_id)),
    )


def find(desk: Desk, key: str) -> ImageRecord:
    """Return an image by its id, with or without ``sha256:``, or by its first 12 digits.

    :raises NotFoundError: when there is none, or several whose ids begin so
    """
    digits = key.removeprefix("sha256:")
    record = desk.store.pages.image_beginning(f"sha256:{digits}")
    if record is None:
        msg = f"no single image has the id {key}"
        raise NotFoundError(msg)
    return record


def _family(desk: Desk, image_id: str) -> tuple[Similar, ...]:
    try:
        return tuple(similar(desk.store, image_id, desk.policy(), _MAX_FAMILY))
    except UsageError:  # it is not known what it is made of
        return ()


def _items(desk: Desk, records: list[ImageRecord]) -> tuple[ImageItem, ...]:
    behaviours = desk.memory.within(2.0, "behaviours", desk.store.detonations.verdicts)
    condemned = {one.image: one.reason for one in desk.store.families.condemned()}
    return tuple(
        ImageItem(
            id=record.image.id,
            name=record.image.name,
            references=record.image.references,
            first_seen=record.first_seen,
            last_seen=record.last_seen,
            report=record.report,
            detonation=behaviours.get(record.image.id),
            condemned=condemned.get(record.image.id, ""),
        )
        for record in records
    )


def _verdict(report: Report | None, fault: str) -> str:
    if report is None:
        return "unscanned"
    return "refused" if fault else "passing"
