"""A blast radius as text: a table for people, JSON, and two pictures. Pure."""

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import msgspec

from pratique.inventory import AffectedService, BlastRadius, Exposure, Service, Threat
from pratique.report.blast_picture import render_dot, render_svg
from pratique.report.escape import json_document, sound
from pratique.text import printable

_GAP: Final = "  "
_DIGITS: Final = 12
_WIDTH: Final = 110


class BlastFormat(StrEnum):
    """How a blast radius is shown."""

    TABLE = "table"
    JSON = "json"
    DOT = "dot"
    """For Graphviz."""
    SVG = "svg"


def render_blast(radius: BlastRadius, form: BlastFormat) -> str:
    """Return a blast radius as text that ends with a line break; the same one gives the same text."""
    return _RENDER[form](radius)


def _json(radius: BlastRadius) -> str:
    return json_document(sound(msgspec.to_builtins(radius)))


def _table(radius: BlastRadius) -> str:
    lines = [*_head(radius)]
    if radius.found:
        for title, rows in (
            ("SERVICES", _services(radius)),
            ("CONTAINERS", _containers(radius)),
            ("IMAGES", _images(radius)),
            ("DEPENDENT SERVICES", _dependants(radius)),
        ):
            if len(rows) > 1:
                lines += ["", title, *_columns(rows)]
        lines += ["", *_omitted(radius), *textwrap.wrap(radius.explanation, _WIDTH, subsequent_indent="  ")]
    return "\n".join(printable(line.rstrip()) for line in lines) + "\n"


def _head(radius: BlastRadius) -> Iterator[str]:
    totals, unlooked = radius.totals, radius.not_scanned
    meaning = radius.meaning.value if radius.meaning else "package, image and container"
    if radius.found:
        yield f"{radius.question}: {meaning}, {_threat(radius.threat)}"
        carried = f"{_count(totals.images, 'image')} and {_count(totals.containers, 'container')}"
        states = f"{totals.running} running, {totals.exposed} reachable from other machines"
        yield f"carried by    {carried} ({states}) of {_count(totals.services, 'service')}"
        yield f"needed by     {_count(totals.dependants, 'more service')}"
    elif radius.meaning is None:
        yield f"{radius.question}: nothing has this name, no {meaning.replace(' and', ' or')}"
    else:
        yield f"{radius.question}: no image that was looked into carries this {meaning}"
    if unlooked.images:
        yield (
            f"not scanned   {_count(unlooked.images, 'image')} with {_count(unlooked.containers, 'container')}:"
            " nobody knows what is in them"
        )


def _services(radius: BlastRadius) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("RISK", "SERVICE", "CONTAINERS", "RUNNING", "WORST", "LOADED", "REACHED", "NEEDED BY", "SINCE")
    ]
    rows += [
        (
            f"{one.risk.score:.1f}",
            one.service.name,
            str(one.containers),
            str(one.running),
            one.threat.severity.value,
            one.loaded.value,
            _reached(one),
            _needed(one),
            _time(one.since),
        )
        for one in radius.services
    ]
    return rows


def _containers(radius: BlastRadius) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("RISK", "CONTAINER", "ID", "SERVICE", "IMAGE", "STATE", "LOADED", "SINCE", "HOST")]
    rows += [
        (
            f"{one.risk.score:.1f}",
            one.name,
            one.id[:_DIGITS],
            one.service.name,
            one.image_name,
            "running" if one.running else "stopped",
            one.loaded.value,
            _time(one.since),
            one.host or "-",
        )
        for one in radius.containers
    ]
    return rows if any(one.host for one in radius.containers) else [row[:-1] for row in rows]


def _images(radius: BlastRadius) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("IMAGE", "ID", "CONTAINERS", "CARRIES", "LAYER", "VULNERABILITY", "FIXED IN")]
    for image in radius.images:
        first = (image.name, image.id.removeprefix("sha256:")[:_DIGITS], str(image.containers))
        for number, one in enumerate(image.carried):
            layer = (
                f"{one.position} {one.layer.removeprefix('sha256:')[:_DIGITS]}" if one.position >= 0 else "not known"
            )
            rows.append((*(first if number == 0 else ("", "", "")), one.what, layer, one.rule or "-", one.fixed or "-"))
        if not image.carried:
            rows.append((*first, "-", "-", "-", "-"))
    return rows


def _dependants(radius: BlastRadius) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("SERVICE", "HOW", "WAY")]
    for one in radius.dependants:
        how = "directly" if len(one.path) == 2 else f"over {len(one.path) - 2}"
        rows.append((one.service.name, how, _way(one.path)))
    return rows


def _omitted(radius: BlastRadius) -> Iterator[str]:
    totals = radius.totals
    more = {
        "services": totals.services - len(radius.services),
        "containers": totals.containers - len(radius.containers),
        "images": totals.images - len(radius.images),
        "dependent services": totals.dependants - len(radius.dependants),
    }
    left = [f"{count:,} more {what}" for what, count in more.items() if count > 0]
    if left:
        yield f"not listed: {', '.join(left)} (--all lists everything)"


def _reached(one: AffectedService) -> str:
    if one.exposure is Exposure.PUBLISHED:
        return f"directly ({one.exposed})" if one.exposed else "directly"
    return _way(one.through) if one.exposure is Exposure.THROUGH else "-"


def _needed(one: AffectedService) -> str:
    return f"{len(one.direct)} directly, {one.dependants} in all" if one.dependants else "-"


def _way(path: Sequence[Service]) -> str:
    return " → ".join(service.name for service in path)


def _threat(threat: Threat) -> str:
    parts = [f"severity {threat.severity.value}"]
    if threat.kev:
        parts.append("exploited in the wild (KEV)")
    if threat.epss:
        parts.append(f"EPSS {threat.epss:.2f}")
    return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        yield "  " + _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}Z"


_RENDER: Final[Mapping[BlastFormat, Callable[[BlastRadius], str]]] = {
    BlastFormat.TABLE: _table,
    BlastFormat.JSON: _json,
    BlastFormat.DOT: render_dot,
    BlastFormat.SVG: render_svg,
}
