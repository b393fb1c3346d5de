"""Questions about what images carry and where they run; one view sees one state of the store."""

import heapq
from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, exists, func, or_, select

from pratique.inventory import Dependencies, Service, ServiceEdge, lookup_name
from pratique.model import FlowVerdict
from pratique.store.encoding import text
from pratique.store.graph import read_dependencies, read_edges, read_services
from pratique.store.hit import Hit
from pratique.store.inventory import image_ids
from pratique.store.numbers import among
from pratique.store.records import HitImage, Holding, KnownFlaw, KnownPackage, Placed
from pratique.store.schema import OPENED
from pratique.store.tables import (
    FLAW_NAMES,
    HIDDEN_FILES,
    IMAGE_FLAWS,
    IMAGE_LAYERS,
    IMAGE_PACKAGES,
    KNOWN_FLAWS,
    KNOWN_IMAGES,
    KNOWN_LAYERS,
    KNOWN_PACKAGES,
    KNOWN_PATHS,
    LAYER_FILES,
    PLACEMENTS,
    PRESENT,
    SERVICE_EDGES,
    SERVICES,
)

_SHORT_ID: Final = 12
_MANY: Final = 2000
_INTERNET: Final = "internet"


class View:
    """The inventory as it is at one moment."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # What is meant

    def flaws(self, name: str) -> list[KnownFlaw]:
        """Return the flaws that a vulnerability's name, or an alias of it, stands for."""
        rules = select(FLAW_NAMES.c.rule).where(FLAW_NAMES.c.name == text(name))
        return self._flaws(KNOWN_FLAWS.c.rule.in_(rules))

    def flaws_of(self, packages: Sequence[KnownPackage]) -> list[KnownFlaw]:
        """Return the flaws of packages in their versions."""
        subjects = {(one.source_name or one.name, one.source_version or one.version) for one in packages}
        names = sorted({name for name, _ in subjects})
        found = self._flaws(KNOWN_FLAWS.c.package.in_(names))
        return [flaw for flaw in found if (flaw.package, flaw.version) in subjects]

    def rules_of(self, images: Collection[int]) -> set[str]:
        """Return the vulnerabilities of images."""
        query = select(KNOWN_FLAWS.c.rule).join(IMAGE_FLAWS, IMAGE_FLAWS.c.flaw == KNOWN_FLAWS.c.number)
        return set(self._connection.execute(query.where(IMAGE_FLAWS.c.image.in_(images)).distinct()).scalars())

    def packages(self, name: str) -> list[KnownPackage]:
        """Return the packages with a name, and those built from a source package with it, in every version."""
        lookup, columns = lookup_name(text(name)), KNOWN_PACKAGES.c
        query = select(*(columns[field] for field in KnownPackage.__struct_fields__))
        # two questions, each of an index: OR would have PostgreSQL read the table
        found = {
            row.number: KnownPackage(*row)
            for column in (columns.lookup, columns.source_lookup)
            for row in self._connection.execute(query.where(column == lookup))
        }
        return sorted(found.values(), key=lambda one: one.number)

    def files(self, sha256: bytes) -> dict[int, tuple[int, str]]:
        """Return the paths of a content, by number of the path, with one of the layers that have it there."""
        query = select(LAYER_FILES.c.path, LAYER_FILES.c.layer, KNOWN_PATHS.c.path.label("name"))
        query = query.join(KNOWN_PATHS, KNOWN_PATHS.c.number == LAYER_FILES.c.path)
        rows = self._connection.execute(query.where(LAYER_FILES.c.sha256 == sha256))
        return {row.path: (row.layer, row.name) for row in rows}

    def images(self, name: str) -> dict[str, int]:
        """Return the numbers of the images with an id, the beginning of one, or a reference, by id."""
        ids = image_ids(self._connection, name)
        query = select(KNOWN_IMAGES.c.image, KNOWN_IMAGES.c.number).where(KNOWN_IMAGES.c.image.in_(ids))
        return {row.image: row.number for row in self._connection.execute(query)}

    def containers(self, name: str) -> list[Placed]:
        """Return the containers with a name, an id or the beginning of one."""
        name = text(name)
        named = PRESENT.c.name == name
        if len(name) >= _SHORT_ID and all(digit in "0123456789abcdef" for digit in name):
            named = or_(named, PRESENT.c.container.between(name, f"{name}g"))
        return [
            row for row in self._placed(select(PRESENT).where(named)) if name in {row.name, row.container[: len(name)]}
        ]

    # Which images are hit

    def with_flaws(self, flaws: Collection[KnownFlaw], exploited: Collection[str]) -> Hit:
        """Choose the images with flaws.

        :param exploited: the rules that are exploited in the wild
        """
        return self._hit(self._flawed(flaws, exploited))

    def with_packages(
        self, packages: Collection[KnownPackage], flaws: Collection[KnownFlaw], exploited: Collection[str]
    ) -> Hit:
        """Choose the images with packages; they are as bad as the flaws of these."""
        numbers = [package.number for package in packages]
        query = select(IMAGE_PACKAGES.c.image).where(among(self._connection, IMAGE_PACKAGES.c.package, numbers))
        held = self._connection.execute(query).scalars().all()
        bad = self._flawed(flaws, exploited)
        return self._hit({image: bad.get(image, (0, False)) for image in held})

    def with_file(self, sha256: bytes) -> Hit:
        """Choose the images that show a content somewhere."""
        query = select(IMAGE_LAYERS.c.image)
        query = query.join_from(LAYER_FILES, IMAGE_LAYERS, IMAGE_LAYERS.c.layer == LAYER_FILES.c.layer)
        query = query.join(KNOWN_IMAGES, KNOWN_IMAGES.c.number == IMAGE_LAYERS.c.image)
        looked_into = KNOWN_IMAGES.c.files_at.is_not(None)  # of others, nobody knows which files they hide
        query = query.where(LAYER_FILES.c.sha256 == sha256, looked_into, ~_is_hidden())
        return self._hit(dict.fromkeys(self._connection.execute(query).scalars(), (0, False)))

    def with_numbers(self, images: Collection[int], exploited: bool) -> Hit:
        """Choose images by their numbers.

        :param exploited: one of their vulnerabilities is exploited in the wild
        """
        named = self.names_of(images)
        return self._hit({image: (severity, exploited) for image, (_, _, severity) in named.items()})

    def _flawed(self, flaws: Collection[KnownFlaw], exploited: Collection[str]) -> dict[int, tuple[int, bool]]:
        """Return the images with flaws, each with the worst severity, and whether one is exploited."""
        threats = {flaw.number: (flaw.severity, flaw.rule in exploited) for flaw in flaws}
        query = select(IMAGE_FLAWS.c.flaw, IMAGE_FLAWS.c.image)
        found: dict[int, tuple[int, bool]] = {}
        query = query.where(among(self._connection, IMAGE_FLAWS.c.flaw, threats))
        for flaw, image in self._connection.execute(query).all():  # all() asks the driver once, not for each row
            threat, known = threats[flaw], found.get(image)
            found[image] = threat if known is None else (max(known[0], threat[0]), known[1] or threat[1])
        return found

    def _hit(self, images: dict[int, tuple[int, bool]]) -> Hit:
        """Look up where images run, once: everything else about them is counted from that."""
        counted = PLACEMENTS.c
        query = select(
            counted.image, counted.service, counted.present, counted.running, counted.exposed, counted.first_seen
        )
        query = query.where(counted.present > 0)
        if len(images) > _MANY:  # then reading all is less work than looking each one up
            rows = self._connection.execute(query).all()
            return Hit(images, [tuple(row) for row in rows if row[0] in images])
        query = query.where(among(self._connection, counted.image, images))
        return Hit(images, [tuple(row) for row in self._connection.execute(query).all()])

    # Where they are

    def hit_images(self, hit: Hit, limit: int | None) -> list[HitImage]:
        """Return the images that are hit, the worst and most used first."""
        used: dict[int, int] = {}
        for image, _, present, *_ in hit.places:
            used[image] = used.get(image, 0) + present
        keyed = ((not kev, -severity, -used.get(image, 0), image) for image, (severity, kev) in hit.images.items())
        first = sorted(keyed) if limit is None else heapq.nsmallest(limit, keyed)
        named = self.names_of([image for *_, image in first])
        return [HitImage(image, *named[image][:2], *hit.images[image], used.get(image, 0)) for *_, image in first]

    def members(self, hit: Hit) -> list[tuple[int, str]]:
        """Return service and container of all containers that are hit."""
        query = select(PRESENT.c.service, PRESENT.c.container)
        query = query.where(among(self._connection, PRESENT.c.image, hit.images))
        return [(service, container) for service, container in self._connection.execute(query).all()]

    def loading(self, packages: Collection[str]) -> set[int]:
        """Return the services with a container that opened code of packages, named by their own or source's name."""
        query = select(PRESENT.c.service).join(OPENED, OPENED.c.container == PRESENT.c.container).distinct()
        return {
            service
            for column in (OPENED.c.package, OPENED.c.source)
            for service in self._connection.execute(query.where(column.in_(packages))).scalars()
        }

    def placed(self, image: int, service: int, limit: int | None) -> list[Placed]:
        """Return the containers of an image in a service, the most urgent first."""
        query = select(PRESENT).where(PRESENT.c.image == image, PRESENT.c.service == service)
        return self._placed(query.order_by(PRESENT.c.rank, PRESENT.c.container).limit(limit))

    # What they hold

    def names_of(self, images: Collection[int]) -> dict[int, tuple[str, str, int]]:
        """Return id, name and worst severity of images."""
        query = select(KNOWN_IMAGES.c.number, KNOWN_IMAGES.c.image, KNOWN_IMAGES.c.name, KNOWN_IMAGES.c.severity)
        rows = self._connection.execute(query.where(KNOWN_IMAGES.c.number.in_(images)))
        return {number: (image, name, severity) for number, image, name, severity in rows}

    def flaws_in(self, images: Collection[int], flaws: Collection[KnownFlaw]) -> list[tuple[int, int]]:
        """Return which images have which flaws."""
        query = select(IMAGE_FLAWS.c.image, IMAGE_FLAWS.c.flaw).where(IMAGE_FLAWS.c.image.in_(images))
        query = query.where(IMAGE_FLAWS.c.flaw.in_([flaw.number for flaw in flaws]))
        return [(image, flaw) for image, flaw in self._connection.execute(query)]

    def packages_in(self, images: Collection[int], packages: Collection[int]) -> list[Holding]:
        """Return where images hold packages."""
        held = IMAGE_PACKAGES.c
        query = (
            select(held.image, held.package, KNOWN_PATHS.c.path, held.position, KNOWN_LAYERS.c.digest)
            .join_from(IMAGE_PACKAGES, KNOWN_PATHS, KNOWN_PATHS.c.number == held.path)
            .join(
                IMAGE_LAYERS,
                and_(IMAGE_LAYERS.c.image == held.image, IMAGE_LAYERS.c.position == held.position),
                isouter=True,
            )
            .join(KNOWN_LAYERS, KNOWN_LAYERS.c.number == IMAGE_LAYERS.c.layer, isouter=True)
            .where(held.image.in_(images), held.package.in_(packages))
        )
        return self._holdings(query)

    def file_in(self, images: Collection[int], sha256: bytes) -> list[Holding]:
        """Return where images show a content."""
        query = (
            select(
                IMAGE_LAYERS.c.image,
                LAYER_FILES.c.path,
                KNOWN_PATHS.c.path.label("name"),
                IMAGE_LAYERS.c.position,
                KNOWN_LAYERS.c.digest,
            )
            .join_from(LAYER_FILES, IMAGE_LAYERS, IMAGE_LAYERS.c.layer == LAYER_FILES.c.layer)
            .join(KNOWN_LAYERS, KNOWN_LAYERS.c.number == LAYER_FILES.c.layer)
            .join(KNOWN_PATHS, KNOWN_PATHS.c.number == LAYER_FILES.c.path)
            .where(LAYER_FILES.c.sha256 == sha256, IMAGE_LAYERS.c.image.in_(images), ~_is_hidden())
        )
        return self._holdings(query)

    # Services

    def services(self) -> dict[int, Service]:
        """Return every service by its number."""
        return read_services(self._connection)

    def dependencies(self, services: dict[int, Service]) -> Dependencies:
        """Return who needs whom."""
        return read_dependencies(self._connection, services)

    def exposed(self) -> set[int]:
        """Return the services that other machines can reach, or that the internet was seen to reach."""
        # both columns, since an index has them; DISTINCT would have SQLite read all placements in another one's order
        published = select(PLACEMENTS.c.service, PLACEMENTS.c.exposed).where(PLACEMENTS.c.exposed > 0)
        seen = select(SERVICE_EDGES.c.target).join(SERVICES, SERVICES.c.number == SERVICE_EDGES.c.source)
        seen = seen.where(SERVICES.c.kind == _INTERNET, SERVICE_EDGES.c.verdict != FlowVerdict.DENIED.value).distinct()
        return {*self._connection.execute(published).scalars(), *self._connection.execute(seen).scalars()}

    def edges(self, services: dict[int, Service], chosen: Collection[int]) -> list[ServiceEdge]:
        """Return the edges between chosen services."""
        ends = and_(SERVICE_EDGES.c.source.in_(chosen), SERVICE_EDGES.c.target.in_(chosen))
        return read_edges(self._connection, services, ends)

    def unlooked(self, *, files: bool) -> tuple[int, int]:
        """Return how many images nobody looked into, and how many containers these have.

        :param files: into their files, rather than their packages
        """
        never = (KNOWN_IMAGES.c.files_at if files else KNOWN_IMAGES.c.scanned_at).is_(None)
        images = self._connection.execute(select(func.count()).where(never)).scalar_one()
        if not images:
            return 0, 0
        query = select(func.coalesce(func.sum(PLACEMENTS.c.present), 0))
        query = query.where(PLACEMENTS.c.image.in_(select(KNOWN_IMAGES.c.number).where(never)))
        return int(images), int(self._connection.execute(query).scalar_one())

    def _flaws(self, condition: Any) -> list[KnownFlaw]:
        query = select(*(KNOWN_FLAWS.c[field] for field in KnownFlaw.__struct_fields__)).where(condition)
        return [KnownFlaw(*row) for row in self._connection.execute(query)]

    def _placed(self, query: Select[Any]) -> list[Placed]:
        return [Placed(*row) for row in self._connection.execute(query)]

    def _holdings(self, query: Select[Any]) -> list[Holding]:
        return [
            Holding(image, what, path, position, layer or "")
            for image, what, path, position, layer in self._connection.execute(query)
        ]


def _is_hidden() -> Any:
    """Return the condition that the image does not show the file of its layer."""
    return exists().where(
        HIDDEN_FILES.c.layer == LAYER_FILES.c.layer,
        HIDDEN_FILES.c.path == LAYER_FILES.c.path,
        HIDDEN_FILES.c.image == IMAGE_LAYERS.c.image,
    )
