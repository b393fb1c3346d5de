"""Text from strangers inside documents of a syntax of their own. Pure.

An image names its files and packages as its maker likes: whatever they are called, they stay text.
"""

import html
import re
from typing import Any, Final

import msgspec

from pratique.text import printable

_MARKDOWN: Final = re.compile(r"[\\`*_{}\[\]<>#|~&!$@:^=]|(?<=[wW]{3})\.|^ |^[+-](?= )|^[0-9](?=[0-9]{0,8}[.)])")

_UNSEEN: Final = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def well_formed(text: str) -> str:
    """Return text that can be encoded: halves of surrogate pairs become escapes, all else stays as it is."""
    return text.encode(errors="backslashreplace").decode()


def markdown(text: str) -> str:
    """Return text that no Markdown takes for anything else: no markup, table cell, HTML, link, mention or emoji.

    Character references are the one escape that holds everywhere (CommonMark 0.31, 2.5): they are never structure,
    not even the bar between the cells of a table (GFM, 4.10), and a backslash before them changes nothing.
    What begins a list is escaped only at the beginning.
    """
    return _MARKDOWN.sub(lambda match: f"&#{ord(match[0])};", printable(text))


def markup(text: str) -> str:
    """Return text for HTML and XML, between tags or in a quoted attribute.

    What XML 1.0 has no way to write at all (section 2.2, production Char) is shown as an escape instead.
    """
    return html.escape(printable(text), quote=True)


def sound(value: Any) -> Any:
    """Return what :func:`msgspec.to_builtins` gives with every text fit to be encoded."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, dict):
        return {key: sound(entry) for key, entry in value.items()}
    return [sound(entry) for entry in value] if isinstance(value, list | tuple) else value


def json_document(document: Any) -> str:
    """Return a document as JSON that ends with a line break; the same document gives the same bytes."""
    return json_line(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def json_line(text: str) -> str:
    """Return encoded JSON with a line break, and what steers a terminal (C1, bidirectional marks) as escapes.

    JSON itself escapes only the characters below the space (RFC 8259, 7).
    """
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"
