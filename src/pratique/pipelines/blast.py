"""From a question to its blast radius.

``blast_radius(store, question)`` is all there is; console and ``pratique replace`` call it as the command line does.
"""

import time
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from pratique.advisories import Database, Exploited, fits
from pratique.errors import UsageError
from pratique.inventory import (
    AffectedContainer,
    AffectedImage,
    AffectedService,
    BlastRadius,
    Carried,
    Exposure,
    Loaded,
    Meaning,
    Question,
    Threat,
    Totals,
    Unknown,
    assess,
    parse_question,
)
from pratique.inventory.ranking import Affected, Surroundings, dependants, rank
from pratique.model import Severity
from pratique.store import Hit, HitImage, KnownFlaw, KnownPackage, OpenedFiles, Placed, Store, View

LIMIT: Final = 50
"""Images, containers, services and dependants that are listed; the totals count everything."""
_ALL_ASKED: Final = 1_000
"""Up to so many containers each is asked whether it loaded a package; of more, only who did is told."""
_SEVERITIES: Final = tuple(Severity)
_LOADED: Final = {True: Loaded.YES, False: Loaded.NO, None: Loaded.UNKNOWN}


class Found(Struct, frozen=True):
    """What a question turned out to be about."""

    meaning: Meaning
    names: tuple[str, ...]
    flaws: tuple[KnownFlaw, ...] = ()
    packages: tuple[KnownPackage, ...] = ()
    sha256: bytes = b""
    images: tuple[int, ...] = ()
    container: Placed | None = None


def blast_radius(
    store: Store, question: str, *, advisories: Path | None = None, limit: int | None = LIMIT, at: float | None = None
) -> BlastRadius:
    """Answer a question.

    :param question: see :func:`pratique.inventory.parse_question`
    :param advisories: the advisory database, which tells what is exploited in the wild
    :param limit: of what is listed of each kind; None: everything
    :param at: the time of the answer
    :raises UsageError: when the question can mean nothing, or several things
    :raises StoreError: when store or database cannot be read
    """
    asked = parse_question(question)
    now = time.time() if at is None else at
    with store.inventory() as view:
        found = _meant(asked, [one for meaning in asked.meanings if (one := _LOOK[meaning](view, asked))])
        unlooked = Unknown(*view.unlooked(files=Meaning.FILE in asked.meanings and len(asked.meanings) == 1))
        if found is None:
            threat = Threat(Severity.UNKNOWN)
            meaning = asked.meanings[0] if len(asked.meanings) == 1 else None
            return BlastRadius(str(asked), meaning, now, threat, (), Totals(), unlooked)
        exploited = _exploited(view, found, advisories)
        return _Answer(view, found, exploited, store.opened, limit).give(str(asked), now, unlooked)


def _meant(asked: Question, found: Sequence[Found]) -> Found | None:
    if len(found) > 1:
        meanings = " and ".join(f"{_ARTICLES[one.meaning]} {one.meaning.value}" for one in found)
        msg = f"{asked.subject} is the name of {meanings}"
        raise UsageError(msg, hint=f"say which: {' or '.join(f'{one.meaning.value}:{asked}' for one in found)}")
    return found[0] if found else None


_ARTICLES: Final = dict.fromkeys(Meaning, "a") | {Meaning.IMAGE: "an"}


def _vulnerability(view: View, asked: Question) -> Found | None:
    flaws = view.flaws(asked.subject)
    names = tuple(sorted({flaw.rule for flaw in flaws}))
    return Found(Meaning.VULNERABILITY, names, flaws=tuple(flaws)) if flaws else None


def _package(view: View, asked: Question) -> Found | None:
    known = view.packages(asked.subject)
    chosen = [one for one in known if fits(one.ecosystem, one.version, asked.operator, asked.version)]
    if not chosen:
        return None
    names = sorted({f"{one.name} {one.version} ({one.ecosystem})" for one in chosen})
    return Found(Meaning.PACKAGE, tuple(names), packages=tuple(chosen), flaws=tuple(view.flaws_of(chosen)))


def _file(view: View, asked: Question) -> Found | None:
    sha256 = bytes.fromhex(asked.subject)
    paths = tuple(sorted({path for _, path in view.files(sha256).values()}))
    return Found(Meaning.FILE, paths, sha256=sha256) if paths else None


def _image(view: View, asked: Question) -> Found | None:
    images = view.images(asked.subject)
    return Found(Meaning.IMAGE, tuple(sorted(images)), images=tuple(images.values())) if images else None


def _container(view: View, asked: Question) -> Found | None:
    containers = view.containers(asked.subject)
    if len(containers) > 1:
        shown = ", ".join(f"{one.name} ({one.container[:12]})" for one in containers[:5])
        msg = f"{len(containers)} containers are called {asked.subject}: {shown}"
        raise UsageError(msg, hint="name one by its id")
    if not containers:
        return None
    (one,) = containers
    return Found(Meaning.CONTAINER, (one.container,), images=(one.image,), container=one)


_LOOK: Final = {
    Meaning.VULNERABILITY: _vulnerability,
    Meaning.PACKAGE: _package,
    Meaning.FILE: _file,
    Meaning.IMAGE: _image,
    Meaning.CONTAINER: _container,
}


def _exploited(view: View, found: Found, advisories: Path | None) -> Exploited:
    """Return what is known of the exploitation of the vulnerabilities that a question is about."""
    rules: Collection[str] = {flaw.rule for flaw in found.flaws} or (
        view.rules_of(found.images) if found.images else ()
    )
    if advisories is None or not advisories.exists() or not rules:
        return Exploited()
    with Database.open(advisories) as database:
        return database.exploited(rules)


class _Answer:
    """Puts an answer together from what the view tells."""

    def __init__(self, view: View, found: Found, exploited: Exploited, opened: OpenedFiles, limit: int | None) -> None:
        self._view = view
        self._found = found
        self._exploited = exploited
        self._opened = opened
        self._limit = limit
        self._hit = self._chosen()
        names = found.packages or found.flaws
        self._packages = {one.name if isinstance(one, KnownPackage) else one.package for one in names}

    def give(self, question: str, at: float, unlooked: Unknown) -> BlastRadius:
        services = self._view.services()
        around = Surroundings(services, self._view.dependencies(services), self._view.exposed())
        affected = self._affected()
        listed = rank(affected, around, self._limit)
        needing, nearest = dependants((one.number for one in affected), around, self._limit)
        images = self._view.hit_images(self._hit, self._limit)
        shown = [number for number, _ in listed]
        numbers = {service: number for number, service in services.items()}
        drawn = {*shown, *(numbers[one.service] for one in nearest)}
        return BlastRadius(
            question=question,
            meaning=self._found.meaning,
            at=at,
            threat=self._worst(),
            names=self._found.names,
            totals=Totals(
                images=len(self._hit.images),
                containers=sum(one.containers for one in affected),
                running=sum(one.running for one in affected),
                exposed=sum(one.exposed for one in affected),
                services=len(affected),
                dependants=needing,
            ),
            not_scanned=unlooked,
            images=tuple(self._images(images)),
            containers=tuple(self._containers(listed)),
            services=tuple(service for _, service in listed),
            dependants=tuple(nearest),
            edges=tuple(self._view.edges(services, drawn)),
        )

    def _chosen(self) -> Hit:
        found, exploited = self._found, self._exploited.known
        match found.meaning:
            case Meaning.VULNERABILITY:
                return self._view.with_flaws(found.flaws, exploited)
            case Meaning.PACKAGE:
                return self._view.with_packages(found.packages, found.flaws, exploited)
            case Meaning.FILE:
                return self._view.with_file(found.sha256)
            case Meaning.IMAGE | Meaning.CONTAINER:
                return self._view.with_numbers(found.images, bool(exploited))

    def _affected(self) -> list[Affected]:
        one = self._found.container
        if one is not None:
            ((_, _, severity),) = self._view.names_of([one.image]).values()
            threat = self._threat(severity, bool(self._exploited.known))
            return [Affected(one.service, 1, int(one.running), int(one.exposed), 1, one.since, threat)]
        sums = self._hit.sums()
        loading = self._loading(sum(row.containers for row in sums))
        return [
            Affected(
                number=row.service,
                containers=row.containers,
                running=row.running,
                exposed=row.exposed,
                images=row.images,
                since=row.since,
                threat=self._threat(row.severity, row.kev),
                loaded=loading.get(row.service, Loaded.UNKNOWN),
            )
            for row in sums
        ]

    def _loading(self, containers: int) -> dict[int, Loaded]:
        """Return which services have the packages loaded: in one container at least, or, for no, in none of all."""
        if not self._packages:
            return {}
        if containers > _ALL_ASKED:
            return dict.fromkeys(self._view.loading(self._packages), Loaded.YES)
        members = self._view.members(self._hit)
        known = self._loaded([container for _, container in members])
        states: dict[int, set[bool | None]] = {}
        for service, container in members:
            states.setdefault(service, set()).add(known.get(container))
        return {
            number: _LOADED[True if True in seen else None if None in seen else False]
            for number, seen in states.items()
        }

    def _threat(self, severity: int, kev: bool) -> Threat:
        return Threat(_SEVERITIES[severity], kev, self._exploited.epss)

    def _worst(self) -> Threat:
        hit = self._hit.images.values()
        return self._threat(max((severity for severity, _ in hit), default=0), any(kev for _, kev in hit))

    def _images(self, images: Sequence[HitImage]) -> Iterable[AffectedImage]:
        carried = self._carried([image.number for image in images])
        for image in images:
            yield AffectedImage(
                id=image.id,
                name=image.name or image.id.removeprefix("sha256:")[:12],
                threat=self._threat(image.severity, image.kev),
                containers=image.containers,
                carried=tuple(carried.get(image.number, ())),
            )

    def _carried(self, images: Sequence[int]) -> dict[int, list[Carried]]:
        """Return what images carry of what is asked for; of an image or container, that is all of it."""
        found, carried = self._found, dict[int, list[Carried]]()
        if found.sha256:
            for held in self._view.file_in(images, found.sha256):
                one = Carried(f"/{held.path}", held.layer, held.position, held.path)
                carried.setdefault(held.image, []).append(one)
        if not (found.flaws or found.packages):
            return carried
        flaws: dict[tuple[int, str, str], list[KnownFlaw]] = {}
        by_number = {flaw.number: flaw for flaw in found.flaws}
        for image, number in self._view.flaws_in(images, found.flaws):
            flaw = by_number[number]
            flaws.setdefault((image, flaw.package, flaw.version), []).append(flaw)
        packages = {one.number: one for one in found.packages or self._with_flaws(flaws)}
        for held in self._view.packages_in(images, packages):
            package = packages[held.what]
            subject = (package.source_name or package.name, package.source_version or package.version)
            own = flaws.get((held.image, *subject), [])
            if own or found.packages:
                carried.setdefault(held.image, []).append(_carried(package, held.path, held.layer, held.position, own))
        return carried

    def _with_flaws(self, flaws: Iterable[tuple[int, str, str]]) -> list[KnownPackage]:
        wanted = {(name, version) for _, name, version in flaws}
        known = [one for name in sorted({name for name, _ in wanted}) for one in self._view.packages(name)]
        return [one for one in known if (one.source_name or one.name, one.source_version or one.version) in wanted]

    def _containers(self, listed: Sequence[tuple[int, AffectedService]]) -> Iterable[AffectedContainer]:
        """Yield containers, those of the most urgent services first."""
        left = self._limit
        services = dict(listed)
        by_service: dict[int, list[tuple[int, Threat]]] = {}
        one = self._found.container
        if one is None:
            for number, image, severity, kev in self._hit.placements(services):
                by_service.setdefault(number, []).append((image, self._threat(severity, kev)))
        names = self._view.names_of(
            {image for images in by_service.values() for image, _ in images} | {image.image for image in [one] if image}
        )
        for number, service in listed:
            placed = [(one, service.threat)] if one else self._placed(number, by_service.get(number, ()), left)
            loaded = self._loaded([container.container for container, _ in placed])
            rows = [
                _affected(container, service, threat, names[container.image], _LOADED[loaded.get(container.container)])
                for container, threat in placed
            ]
            rows.sort(key=lambda row: (-row.risk.score, not row.running, row.since, row.id))
            yield from rows[:left]
            if left is not None:
                left -= min(len(rows), left)
                if not left:
                    return

    def _loaded(self, containers: Sequence[str]) -> dict[str, bool]:
        """Return in which containers the sensor saw a file of what is asked for opened; a file itself is not told."""
        return self._opened.loaded(containers, self._packages) if self._packages else {}

    def _placed(
        self, service: int, images: Sequence[tuple[int, Threat]], limit: int | None
    ) -> list[tuple[Placed, Threat]]:
        found: list[tuple[Placed, Threat]] = []
        for image, threat in sorted(images, key=lambda image: (-image[1].kev, -image[1].severity.rank, image[0])):
            if limit is not None and len(found) >= limit and threat != found[-1][1]:
                break  # what follows is less urgent
            found += [(one, threat) for one in self._view.placed(image, service, limit)]
        return found


def _carried(package: KnownPackage, path: str, layer: str, position: int, flaws: Sequence[KnownFlaw]) -> Carried:
    worst = max(flaws, key=lambda flaw: flaw.severity, default=None)
    return Carried(
        what=f"{package.name} {package.version}",
        layer=layer,
        position=position,
        path=path,
        rule=worst.rule if worst else "",
        fixed=worst.fixed if worst else "",
    )


def _affected(
    container: Placed, service: AffectedService, threat: Threat, image: tuple[str, str, int], loaded: Loaded
) -> AffectedContainer:
    exposure = Exposure.PUBLISHED if container.exposed else service.exposure
    return AffectedContainer(
        id=container.container,
        name=container.name,
        host=container.host,
        service=service.service,
        image=image[0],
        image_name=image[1] or image[0].removeprefix("sha256:")[:12],
        since=container.since,
        running=container.running,
        exposure=exposure,
        loaded=loaded,
        risk=assess(threat, loaded, exposure, service.dependants),
    )
