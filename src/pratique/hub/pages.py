"""Templates: text from strangers goes in, pages come out in which it is only text."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

import jinja2
import msgspec
from markupsafe import Markup
from msgspec import Struct

from pratique import __version__
from pratique.hub import assets
from pratique.text import printable

_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))
_MULTIPLES: Final = ("B", "kB", "MB", "GB", "TB", "PB")


class Pages:
    """The templates of the console.

    :param host: what this host is called
    """

    def __init__(self, host: str) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("pratique.hub"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            finalize=_visible,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(
            time=_time, ago=_ago, short=_short, size=_size, lines=_lines, json=_json, count=_count
        )
        self._environment.globals.update(asset=assets.load().url, host=host, version=__version__, link=_link)

    def render(self, template: str, **context: Any) -> str:
        """Return a page."""
        return self._environment.get_template(template).render(context)

    def row(self, kind: str, item: Struct) -> str:
        """Return one row of a table, as the page of its kind shows it."""
        module = self._environment.get_template("rows.html").module
        row: str = str(getattr(module, kind)(item))
        return row.strip()


def _visible(value: object) -> object:
    """Make invisible and control characters of strangers visible; markup of ours is left alone."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _time(at: float | None) -> Markup:
    """Return a time as UTC for people and machines; the browser shows it as its own."""
    if not at:
        return Markup("&ndash;")
    moment = datetime.fromtimestamp(at, UTC)
    text = f"{moment:%Y-%m-%d %H:%M:%S}"
    return Markup('<time datetime="{}">{}</time>').format(f"{moment:%Y-%m-%dT%H:%M:%SZ}", text)


def _ago(at: float | None) -> str:
    """Return how long ago, in the largest unit that fits."""
    if not at:
        return "never"
    seconds = max(0, int(time.time() - at))
    for unit, name in _UNITS:
        if seconds >= unit:
            return f"{seconds // unit} {name} ago"
    return f"{seconds} s ago"


def _short(identifier: str) -> str:
    return identifier.removeprefix("sha256:")[:12]


def _size(count: float) -> str:
    for unit in _MULTIPLES[:-1]:
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} {_MULTIPLES[-1]}"


def _count(number: int) -> str:
    """Return a number with thin spaces between thousands."""
    return f"{number:,}".replace(",", "\u202f")


def _lines(text: str) -> Markup:
    """Return text of several lines, each made visible, the breaks kept."""
    return Markup("\n").join(printable(line) for line in text.replace("\r", "").split("\n"))


def _json(value: Any) -> str:
    """Return a value as JSON, for a form's field; all of it ASCII: nothing has to be made visible."""
    return json.dumps(msgspec.to_builtins(value)).replace("\x7f", "\\u007f")


def _link(path: str, ask: Struct | None = None, /, **changes: Any) -> str:
    """Return an address with what is asked, changed, in its query; what is as it is by itself is left out."""
    fields: Mapping[str, Any] = {} if ask is None else _unusual(ask)
    wanted = {name: value for name, value in {**fields, **changes}.items() if value not in ("", None, ())}
    return f"{path}?{urlencode(wanted, doseq=True)}" if wanted else path


def _unusual(ask: Struct) -> dict[str, Any]:
    defaults = {field.name: field.default for field in msgspec.structs.fields(ask)}
    return {name: value for name, value in msgspec.to_builtins(ask).items() if value != defaults[name]}
