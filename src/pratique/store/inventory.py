"""Images, reports and containers on one connection."""

from collections import Counter
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, select, update

from pratique.model import Container, FindingKind, ImageIdentity, Report, Severity
from pratique.store.contents import put_contents
from pratique.store.encoding import compress, decompress, pack, text, unpack
from pratique.store.places import leave, number_image, place
from pratique.store.records import ContainerRecord, ImageRecord, ReportSummary
from pratique.store.schema import CONTAINERS, IMAGES, REPORTS
from pratique.store.tables import IMAGE_NAMES, KNOWN_IMAGES
from pratique.store.upsert import greatest, kept, upsert

_SHORT_ID = 12
_SUMMARY = tuple(REPORTS.c[name] for name in ReportSummary.__struct_fields__)


def put_image(connection: Connection, image: ImageIdentity, at: float) -> None:
    """Insert an image or renew it."""
    row = {"id": text(image.id), "identity": pack(image), "first_seen": at, "last_seen": at}
    upsert(connection, IMAGES, ["id"], row, {"first_seen": kept, "last_seen": greatest})
    number_image(connection, image)


def images(connection: Connection) -> list[ImageRecord]:
    """Return every image with the counts of its report."""
    query = (
        select(IMAGES.c.identity, IMAGES.c.first_seen, IMAGES.c.last_seen, *_SUMMARY)
        .join_from(IMAGES, REPORTS, IMAGES.c.id == REPORTS.c.image, isouter=True)
        .order_by(IMAGES.c.last_seen.desc(), IMAGES.c.id)
    )
    return [_image(row) for row in connection.execute(query)]


def image_ids(connection: Connection, name: str) -> tuple[str, ...]:
    """Return the ids that a name stands for; see :meth:`pratique.store.Store.image_ids`."""
    digits = text(name).removeprefix("sha256:")
    if len(digits) >= _SHORT_ID:
        # 'g' stands behind every hexadecimal digit, and LIKE has no use for an index
        prefixed = KNOWN_IMAGES.c.image.between(f"sha256:{digits}", f"sha256:{digits}g")
        by_id = connection.execute(select(KNOWN_IMAGES.c.image).where(prefixed).order_by(KNOWN_IMAGES.c.image))
        if found := tuple(image for image in by_id.scalars() if image.startswith(f"sha256:{digits}")):
            return found
    query = select(KNOWN_IMAGES.c.image).join(IMAGE_NAMES, IMAGE_NAMES.c.image == KNOWN_IMAGES.c.number)
    query = query.where(IMAGE_NAMES.c.name.in_([text(name), text(f"{name}:latest")])).distinct()
    return tuple(connection.execute(query.order_by(KNOWN_IMAGES.c.image)).scalars())


def put_report(connection: Connection, report: Report) -> None:
    """Insert a report unless a newer one is there."""
    put_image(connection, report.image, report.scanned_at)
    kinds = Counter(finding.kind for finding in report.findings)
    severities = Counter(f.severity for f in report.findings if f.kind is FindingKind.VULNERABILITY)
    row = {
        "image": text(report.image.id),
        "scanned_at": report.scanned_at,
        "packages": len(report.packages),
        "malware": kinds[FindingKind.MALWARE],
        "secrets": kinds[FindingKind.SECRET],
        "misconfigurations": kinds[FindingKind.MISCONFIGURATION],
        "critical": severities[Severity.CRITICAL],
        "high": severities[Severity.HIGH],
        "medium": severities[Severity.MEDIUM],
        "low": severities[Severity.LOW],
        "unread": len(report.unread),
        "document": compress(report),
    }
    upsert(connection, REPORTS, ["image"], row, newer="scanned_at")
    put_contents(connection, report)


def report(connection: Connection, image_id: str) -> Report | None:
    """Return the report of an image."""
    blob = connection.execute(select(REPORTS.c.document).where(REPORTS.c.image == image_id)).scalar()
    return None if blob is None else decompress(blob, Report)


def put_container(
    connection: Connection,
    host: str,
    container: Container,
    policy_name: str,
    admitted: bool,
    at: float,
) -> None:
    """Insert a container or renew it."""
    row = {
        "id": text(container.id),
        "image": text(container.image),
        "policy": text(policy_name),
        "admitted": admitted,
        "first_seen": at,
        "last_seen": at,
        "gone_at": None,
        "document": pack(container),
    }
    upsert(connection, CONTAINERS, ["id"], row, {"first_seen": kept})
    place(connection, host, container, at)


def container_gone(connection: Connection, container_id: str, at: float) -> None:
    """Note when a container was removed; the first such note stays."""
    connection.execute(
        update(CONTAINERS)
        .where(CONTAINERS.c.id == container_id, CONTAINERS.c.gone_at.is_(None))
        .values(gone_at=at, last_seen=at)
    )
    leave(connection, container_id, at)


def containers(connection: Connection, images: Collection[str] | None, gone: bool) -> list[ContainerRecord]:
    """Return containers, newest first."""
    query = select(CONTAINERS).order_by(CONTAINERS.c.first_seen.desc(), CONTAINERS.c.id)
    if images is not None:
        query = query.where(CONTAINERS.c.image.in_(images))
    if not gone:
        query = query.where(CONTAINERS.c.gone_at.is_(None))
    return [
        ContainerRecord(
            container=unpack(row.document, Container),
            policy=row.policy,
            admitted=row.admitted,
            first_seen=row.first_seen,
            last_seen=row.last_seen,
            gone_at=row.gone_at,
        )
        for row in connection.execute(query)
    ]


def _image(row: Row[Any]) -> ImageRecord:
    summary = (
        None
        if row.scanned_at is None
        else ReportSummary(*(getattr(row, name) for name in ReportSummary.__struct_fields__))
    )
    return ImageRecord(unpack(row.identity, ImageIdentity), row.first_seen, row.last_seen, summary)


def take_apart(connection: Connection) -> None:
    """Fill the tables of the inventory from the images, reports and containers of a store that had none."""
    for row in connection.execute(select(IMAGES.c.identity)).all():
        number_image(connection, unpack(row.identity, ImageIdentity))
    for image in connection.execute(select(REPORTS.c.image)).scalars().all():
        known = report(connection, image)
        if known is not None:
            put_contents(connection, known)
    for row in connection.execute(select(CONTAINERS).where(CONTAINERS.c.gone_at.is_(None))).all():
        place(connection, "", unpack(row.document, Container), row.first_seen)
