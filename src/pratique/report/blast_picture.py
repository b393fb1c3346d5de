"""A blast radius as a picture: for Graphviz, or as SVG with a layout of our own. Pure.

Colours stand on fields of their own and need no style sheet, so that a picture reads alike on a light page, on a dark
one, and under a strict content security policy.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from pratique.inventory import BlastRadius, Exposure, Service
from pratique.model import FlowVerdict
from pratique.report.escape import markup
from pratique.report.layout import layered
from pratique.text import printable

_WIDTH: Final = 200
_HEIGHT: Final = 44
_COLUMN: Final = 280
_ROW: Final = 64
_MARGIN: Final = 24
_CAPTION: Final = 34
_LONGEST: Final = 26
_LINE: Final = "#78909c"
_REFUSED: Final = "#d32f2f"
_HEAD: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    ' role="img" aria-label="{caption}" font-family="sans-serif" font-size="12">'
)
_ARROW: Final = (
    '<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    f'<path d="M0 0 8 4 0 8z" fill="{_LINE}"/></marker></defs>'
)


class _Look(Struct, frozen=True):
    """How a service is drawn."""

    fill: str
    text: str
    label: str
    detail: str
    exposed: bool = False


def render_dot(radius: BlastRadius) -> str:
    """Return the services that carry it and those that need them, in the language of Graphviz."""
    lines = [
        "digraph blast {",
        "  rankdir=LR;",
        f"  label={_quoted(_caption(radius))};",
        '  node [shape=box, style="rounded,filled", fontname="sans-serif", fontsize=11, penwidth=0];',
        f'  edge [color="{_LINE}", fontname="sans-serif", fontsize=9];',
    ]
    looks = _looks(radius)
    names = {service: f"s{number}" for number, service in enumerate(looks)}
    for service, look in looks.items():
        label = _quoted(f"{look.label}\n{look.detail}")
        frame = f', penwidth=3, color="{_REFUSED}"' if look.exposed else ""
        lines.append(f'  {names[service]} [label={label}, fillcolor="{look.fill}", fontcolor="{look.text}"{frame}];')
    for (source, target), (ports, refused) in _edges(radius, looks).items():
        style = f', style=dashed, color="{_REFUSED}"' if refused else ""
        lines.append(f"  {names[source]} -> {names[target]} [label={_quoted(ports)}{style}];")
    return "\n".join([*lines, "}"]) + "\n"


def render_svg(radius: BlastRadius) -> str:
    """Return the services that carry it and those that need them as SVG 1.1."""
    looks = _looks(radius)
    edges = _edges(radius, looks)
    columns = layered(list(looks), edges)
    tallest = max((len(column) for column in columns), default=0)
    places = {
        service: (
            _MARGIN + number * _COLUMN,
            _CAPTION + _MARGIN + row * _ROW + (tallest - len(column)) * _ROW // 2,
        )
        for number, column in enumerate(columns)
        for row, service in enumerate(column)
    }
    width = 2 * _MARGIN + max(len(columns) - 1, 1) * _COLUMN + _WIDTH
    height = _CAPTION + 2 * _MARGIN + max(tallest - 1, 0) * _ROW + _HEIGHT
    caption = markup(_caption(radius))
    lines = [
        _HEAD.format(width=width, height=height, caption=caption),
        _ARROW,
        f'<text x="{_MARGIN}" y="{_CAPTION - 8}" fill="{_LINE}">{caption}</text>',
    ]
    for (source, target), (ports, refused) in edges.items():
        lines.append(_curve(places[source], places[target], f"{source} → {target}: {ports}", refused))
    for service, look in looks.items():
        lines += _box(places[service], look, service)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _looks(radius: BlastRadius) -> dict[Service, _Look]:
    """Return the services of the picture: those that need it, then those that carry it."""
    looks = {one.service: _Look("#546e7a", "#ffffff", one.service.name, "depends on it") for one in radius.dependants}
    for one in radius.services:
        fill, text = _heat(one.risk.score)
        count = f"{one.containers:,} container{'' if one.containers == 1 else 's'}"
        detail = f"{count}, risk {one.risk.score:.0f}"
        looks[one.service] = _Look(fill, text, one.service.name, detail, one.exposure is Exposure.PUBLISHED)
    return looks


def _heat(score: float) -> tuple[str, str]:
    if score >= 70:
        return "#b71c1c", "#ffffff"
    if score >= 40:
        return "#bf5b04", "#ffffff"
    return "#f9d976", "#212121"


def _edges(radius: BlastRadius, looks: Mapping[Service, _Look]) -> dict[tuple[Service, Service], tuple[str, bool]]:
    """Return for each pair the ports, and whether all of it was refused."""
    ports: dict[tuple[Service, Service], set[tuple[int, str]]] = {}
    passed: set[tuple[Service, Service]] = set()
    for edge in radius.edges:
        pair = (edge.source, edge.target)
        if edge.source != edge.target and edge.source in looks and edge.target in looks:
            ports.setdefault(pair, set()).add((edge.port, edge.protocol.value))
            if edge.verdict is not FlowVerdict.DENIED:
                passed.add(pair)
    return {
        pair: (", ".join(f"{port}/{protocol}" for port, protocol in sorted(found)), pair not in passed)
        for pair, found in sorted(ports.items())
    }


def _curve(start: tuple[int, int], end: tuple[int, int], title: str, refused: bool) -> str:
    forward = end[0] > start[0]
    x1, x2 = start[0] + (_WIDTH if forward else 0), end[0] + (0 if forward else _WIDTH)
    y1, y2 = start[1] + _HEIGHT // 2, end[1] + _HEIGHT // 2
    if start[0] == end[0]:  # in one column: round the left side
        x2, pull = end[0], -60
    else:
        pull = max(abs(x2 - x1) // 2, 40) * (1 if forward else -1)
    bend = f"C{x1 + pull} {y1} {x2 - pull if start[0] != end[0] else x2 + pull} {y2} {x2} {y2}"
    look = f'stroke="{_REFUSED}" stroke-dasharray="5 4"' if refused else f'stroke="{_LINE}"'
    path = f'<path d="M{x1} {y1}{bend}" fill="none" {look} stroke-width="1.5" marker-end="url(#end)">'
    return f"{path}<title>{markup(title)}</title></path>"


def _box(place: tuple[int, int], look: _Look, service: Service) -> Iterator[str]:
    x, y = place
    frame = f' stroke="{_REFUSED}" stroke-width="3"' if look.exposed else ""
    shown = printable(look.label)
    label = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
    reached = ", reachable from other machines" if look.exposed else ""
    yield f"<g><title>{markup(f'{service}: {look.detail}{reached}')}</title>"
    yield f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="8" fill="{look.fill}"{frame}/>'
    yield f'<text x="{x + 12}" y="{y + 19}" fill="{look.text}" font-weight="bold">{markup(label)}</text>'
    yield f'<text x="{x + 12}" y="{y + 35}" fill="{look.text}" font-size="11">{markup(look.detail)}</text></g>'


def _caption(radius: BlastRadius) -> str:
    totals = radius.totals
    return (
        f"{radius.question}: {totals.containers:,} containers of {totals.services:,} services carry it,"
        f" {totals.dependants:,} more services depend on these"
    )


def _quoted(text: str) -> str:
    """Return a string of the DOT language; only the quote and the backslash mean anything in one."""
    lines = (printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n"))
    return '"' + "\\n".join(lines) + '"'
