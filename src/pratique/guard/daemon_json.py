"""Edits the engine's configuration as text, so that all that is not ours stays as it was, byte for byte. Pure."""

import json
from typing import Final

from msgspec import Struct

from pratique.errors import InputError

KEY: Final = "authorization-plugins"

_FRESH: Final = '{\n  "authorization-plugins": ["%s"]\n}\n'


class _Member(Struct, frozen=True):
    """One key of the outermost object and where it stands: from its opening quote to behind its value."""

    key: str
    value: object
    start: int
    value_start: int
    end: int


def plugins(text: str) -> list[str]:
    """Return the authorization plugins that a configuration names.

    :raises InputError: when the text is not what the engine takes
    """
    member = _find(_members(text))
    return [] if member is None else _list(member)


def with_plugin(text: str | None, name: str) -> str:
    """Return the configuration with one more plugin, asked last.

    :param text: ``None`` stands for no file
    :raises InputError: when the text is not what the engine takes
    """
    if text is None or not text.strip():
        return _FRESH % name
    members = _members(text)
    member = _find(members)
    if member is not None:
        names = _list(member)
        return text if name in names else _put(text, member, [*names, name])
    addition = f'"{KEY}": {json.dumps([name])}'
    if not members:
        inside = text.index("{") + 1
        return f"{text[:inside]}\n  {addition}\n{text[inside:].lstrip()}"
    last = members[-1]
    return f"{text[: last.end]},{_space_before(text, last)}{addition}{text[last.end :]}"


def without_plugin(text: str, name: str) -> str:
    """Return the configuration without a plugin.

    :raises InputError: when the text is not what the engine takes
    """
    members = _members(text)
    member = _find(members)
    if member is None or name not in _list(member):
        return text
    rest = [other for other in _list(member) if other != name]
    if rest:
        return _put(text, member, rest)
    number = members.index(member)
    if number:
        return text[: members[number - 1].end] + text[member.end :]
    if len(members) > 1:
        return text[: member.start] + text[members[1].start :]
    return text[: member.start] + text[member.end :].lstrip()


def _put(text: str, member: _Member, names: list[str]) -> str:
    return text[: member.value_start] + json.dumps(names) + text[member.end :]


def _space_before(text: str, member: _Member) -> str:
    start = member.start
    while start and text[start - 1].isspace():
        start -= 1
    return text[start : member.start] or " "


def _find(members: list[_Member]) -> _Member | None:
    found = [member for member in members if member.key == KEY]
    if len(found) > 1:
        msg = f"the key {KEY!r} stands twice"
        raise InputError(msg)
    return found[0] if found else None


def _list(member: _Member) -> list[str]:
    if not isinstance(member.value, list) or not all(isinstance(name, str) for name in member.value):
        msg = f"{KEY!r} is not a list of names"
        raise InputError(msg)
    return list(member.value)


def _members(text: str) -> list[_Member]:
    """Walk over the outermost object with the standard library's scanners; an empty file is an empty object."""
    if not text.strip():
        return []
    decoder = json.JSONDecoder()
    try:
        if not isinstance(decoder.decode(text), dict):
            msg = "it is not an object"
            raise InputError(msg)
        members = []
        position = _skip(text, text.index("{") + 1)
        while text[position] != "}":
            start = position
            key, position = decoder.raw_decode(text, position)
            value_start = _skip(text, _skip(text, position) + 1)
            value, end = decoder.raw_decode(text, value_start)
            members.append(_Member(key, value, start, value_start, end))
            position = _skip(text, end)
            position = _skip(text, position + 1) if text[position] == "," else position
    except (ValueError, RecursionError) as error:
        msg = f"it is not JSON: {error}"
        raise InputError(msg) from error
    return members


def _skip(text: str, position: int) -> int:
    while text[position] in " \t\r\n":
        position += 1
    return position
