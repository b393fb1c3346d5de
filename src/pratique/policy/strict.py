"""YAML read strictly: what a careless or hostile document can do with YAML, it cannot do here.

The parser's events are looked at first, one by one. A key that is given twice (the last would win, unseen), anchors,
aliases and merges (a few kilobytes can stand for gigabytes) and deep nesting (the parser's C code recurses until it
crashes) are refused before anything is built.
"""

from typing import Any, Final, TypeVar

import msgspec
import yaml

MAX_DEPTH: Final = 20
_Value = TypeVar("_Value")


class _Level:
    """An open mapping or sequence; ``keys`` is None for a sequence."""

    def __init__(self, *, mapping: bool) -> None:
        self.keys: set[str] | None = set() if mapping else None
        self.key_is_next = mapping


def decode(text: bytes, kind: type[_Value]) -> _Value:
    """Return the value in a YAML document.

    :raises ValueError: with one line that names the place
    """
    try:
        text.decode()  # YAML may be UTF-16 as well; whoever stores or shows a document takes it for UTF-8
        _inspect(text)
        return msgspec.yaml.decode(text, type=kind)
    except (yaml.YAMLError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(" ".join(str(error).split())[:300]) from error


def _inspect(text: bytes) -> None:
    levels: list[_Level] = []
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            msg = f"anchors and aliases are not taken{_place(event)}"
            raise ValueError(msg)
        if isinstance(event, yaml.CollectionEndEvent):
            levels.pop()
        elif isinstance(event, yaml.NodeEvent):
            if levels:
                _count(levels[-1], event)
            if isinstance(event, yaml.CollectionStartEvent):
                levels.append(_Level(mapping=isinstance(event, yaml.MappingStartEvent)))
                if len(levels) > MAX_DEPTH:
                    msg = f"nested deeper than {MAX_DEPTH} levels{_place(event)}"
                    raise ValueError(msg)


def _count(level: _Level, event: Any) -> None:
    if level.keys is None:
        return
    if level.key_is_next and isinstance(event, yaml.ScalarEvent):
        if event.value == "<<":
            msg = f"merge keys are not taken{_place(event)}"
            raise ValueError(msg)
        if event.value in level.keys:
            msg = f"the key {event.value[:100]!r} is given twice{_place(event)}"
            raise ValueError(msg)
        level.keys.add(event.value)
    level.key_is_next = not level.key_is_next


def _place(event: Any) -> str:
    return f", line {event.start_mark.line + 1}"
