"""What images hold: layers, packages, vulnerabilities, programs; a report taken apart, on one connection."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, delete, select, update

from pratique.inventory import lookup_name
from pratique.model import Finding, ImageIdentity, ImagePrograms, Package, Report
from pratique.store.encoding import text
from pratique.store.numbers import chunks, number_rows, number_texts
from pratique.store.places import number_image
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
)
from pratique.store.upsert import upsert

_PACKAGE: Final = ("name", "version", "ecosystem", "source_name", "source_version")
_FLAW: Final = ("rule", "package", "version", "ecosystem")
_Row = dict[str, object]


def put_contents(connection: Connection, report: Report) -> None:
    """Replace what is known of an image by what a report says, unless that is older."""
    image = number_image(connection, report.image)
    known = connection.execute(select(KNOWN_IMAGES.c.scanned_at).where(KNOWN_IMAGES.c.number == image)).scalar()
    if known is not None and known > report.scanned_at:
        return
    for table in (IMAGE_LAYERS, IMAGE_PACKAGES, IMAGE_FLAWS):
        connection.execute(delete(table).where(table.c.image == image))
    put_layers(connection, image, report.image)
    _put_packages(connection, image, report.packages)
    flaws = [finding for finding in report.findings if finding.package]
    _put_flaws(connection, image, flaws)
    worst = max((finding.severity.rank for finding in flaws), default=0)
    values = {"scanned_at": report.scanned_at, "severity": worst}
    connection.execute(update(KNOWN_IMAGES).where(KNOWN_IMAGES.c.number == image).values(values))


def put_layers(connection: Connection, image: int, identity: ImageIdentity) -> list[int]:
    """Note an image's layers, base first, and return their numbers."""
    digests = [text(layer) for layer in identity.layers]
    numbers = number_texts(connection, KNOWN_LAYERS, "digest", digests)
    rows: list[_Row] = [
        {"image": image, "position": position, "layer": numbers[digest]} for position, digest in enumerate(digests)
    ]
    upsert(connection, IMAGE_LAYERS, ["image", "position"], rows)
    return [numbers[digest] for digest in digests]


def put_programs(connection: Connection, found: ImagePrograms) -> None:
    """Note the programs that an image shows; an image of which not all are known counts as not looked into.

    Images share layers, so files belong to layers; an image that hides a file of one of its layers is an exception.
    """
    image = number_image(connection, found.image)
    layers = put_layers(connection, image, found.image)
    if found.partial:
        return
    shown = [program for program in found.programs if 0 <= program.layer < len(layers)]
    paths = number_texts(connection, KNOWN_PATHS, "path", (text(program.path) for program in shown))
    mine = {(layers[one.layer], paths[text(one.path)]): one.sha256 for one in shown}
    known = _files(connection, layers)
    fresh = {key: sha256 for key, sha256 in mine.items() if key not in known}
    connection.execute(delete(HIDDEN_FILES).where(HIDDEN_FILES.c.image == image))
    _hide(connection, ((layer, path, image) for layer, path in known if (layer, path) not in mine))
    _hide(connection, _elsewhere(connection, image, fresh))
    rows: list[_Row] = [
        {"layer": layer, "path": path, "sha256": sha256} for (layer, path), sha256 in sorted(fresh.items())
    ]
    upsert(connection, LAYER_FILES, ["layer", "path"], rows)
    connection.execute(update(KNOWN_IMAGES).where(KNOWN_IMAGES.c.number == image).values(files_at=found.at))


def _files(connection: Connection, layers: list[int]) -> set[tuple[int, int]]:
    """Return layer and path of the files that are known of layers."""
    found: set[tuple[int, int]] = set()
    for some in chunks(layers):
        query = select(LAYER_FILES.c.layer, LAYER_FILES.c.path).where(LAYER_FILES.c.layer.in_(some))
        found.update((layer, path) for layer, path in connection.execute(query))
    return found


def _elsewhere(connection: Connection, image: int, fresh: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int, int]]:
    """Return the images whose programs are known and that have the layer of a file that is new: none showed it."""
    paths: dict[int, list[int]] = {}
    for layer, path in fresh:
        paths.setdefault(layer, []).append(path)
    known = select(LAYER_FILES.c.layer).distinct()
    for layer, fresh_paths in paths.items():
        if connection.execute(known.where(LAYER_FILES.c.layer == layer)).first() is None:
            continue  # nobody told of this layer's files before
        others = select(IMAGE_LAYERS.c.image).join(KNOWN_IMAGES, KNOWN_IMAGES.c.number == IMAGE_LAYERS.c.image)
        others = others.where(IMAGE_LAYERS.c.layer == layer, IMAGE_LAYERS.c.image != image)
        others = others.where(KNOWN_IMAGES.c.files_at.is_not(None))
        for other in connection.execute(others).scalars():
            for path in fresh_paths:
                yield layer, path, other


def _hide(connection: Connection, files: Iterable[tuple[int, int, int]]) -> None:
    rows: list[_Row] = [{"layer": layer, "path": path, "image": image} for layer, path, image in sorted(set(files))]
    upsert(connection, HIDDEN_FILES, ["layer", "path", "image"], rows)


def _put_packages(connection: Connection, image: int, packages: Iterable[Package]) -> None:
    rows = [(package, _package_row(package)) for package in packages]
    numbers = number_rows(connection, KNOWN_PACKAGES, _PACKAGE, (row for _, row in rows))
    paths = number_texts(connection, KNOWN_PATHS, "path", (text(package.path) for package, _ in rows))
    held: list[_Row] = [
        {
            "package": numbers[tuple(row[name] for name in _PACKAGE)],
            "image": image,
            "path": paths[text(package.path)],
            "position": package.layer,
        }
        for package, row in rows
    ]
    upsert(connection, IMAGE_PACKAGES, ["package", "image", "path"], held)


def _put_flaws(connection: Connection, image: int, flaws: list[Finding]) -> None:
    rows = {tuple(row[name] for name in _FLAW): row for row in map(_flaw_row, flaws)}
    upsert(connection, KNOWN_FLAWS, _FLAW, list(rows.values()))
    numbers = number_rows(connection, KNOWN_FLAWS, _FLAW, rows.values())
    held: list[_Row] = [{"flaw": number, "image": image} for number in sorted(numbers.values())]
    upsert(connection, IMAGE_FLAWS, ["flaw", "image"], held)
    names: list[_Row] = [
        {"name": name, "rule": rule}
        for name, rule in sorted({(text(name), text(f.rule)) for f in flaws for name in (f.rule, *f.aliases)})
    ]
    upsert(connection, FLAW_NAMES, ["name", "rule"], names)


def _package_row(package: Package) -> _Row:
    row: _Row = {name: text(getattr(package, name)) for name in _PACKAGE}
    row["lookup"] = lookup_name(text(package.name))
    row["source_lookup"] = lookup_name(text(package.source_name)) if package.source_name else ""
    return row


def _flaw_row(finding: Finding) -> _Row:
    return {
        "rule": text(finding.rule),
        "ecosystem": text(finding.ecosystem),
        "package": text(finding.package),
        "version": text(finding.version),
        "fixed": text(finding.fixed_version),
        "severity": finding.severity.rank,
    }
