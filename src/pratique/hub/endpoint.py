"""A question that the console answers, typed: what is asked, what comes back, who may ask.

The table of endpoints makes the JSON API, its OpenAPI document and, with a template each, the pages.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, get_args, get_origin

import msgspec
from msgspec import Struct

from pratique.errors import UsageError
from pratique.hub.desk import Desk
from pratique.hub.sessions import Role

MAX_FIELDS: Final = 300
"""Query parameters or form fields in one request."""
_IN_PATH: Final = re.compile(r"\{(\w+)\}")


class Endpoint(Struct, frozen=True):
    """One endpoint."""

    method: str
    """``GET`` asks, ``POST`` changes."""
    path: str
    """Below ``/api/v1``."""
    summary: str
    ask: type[Struct]
    """What is asked: the fields in braces come from the path, others from the query (GET) or the body (POST)."""
    answer: type[Struct]
    handler: Callable[[Desk, Any], Struct]
    """Runs in a thread."""
    role: Role = Role.VIEWER

    @property
    def in_path(self) -> tuple[str, ...]:
        """Return the names of the fields that the path holds."""
        return tuple(_IN_PATH.findall(self.path))


def ask_of_fields(kind: type[Struct], fields: Iterable[tuple[str, str]], path: Mapping[str, Any]) -> Struct:
    """Return what is asked by a query or a form, all of it text.

    A field of several values is repeated; a value that is no scalar is JSON.

    :raises UsageError: naming the field that is unknown or has a value that cannot be
    """
    types = {field.name: _bare(field.type) for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for number, (name, text) in enumerate(fields):
        if number >= MAX_FIELDS:
            msg = f"more than {MAX_FIELDS} fields"
            raise UsageError(msg)
        if name not in types or name in path:
            msg = f"there is no field {name[:80]!r}"
            raise UsageError(msg, hint=f"the fields are: {', '.join(types)}")
        if get_origin(types[name]) is tuple:
            values.setdefault(name, []).append(_item(get_args(types[name])[0], text))
        elif name in values:
            msg = f"the field {name!r} is there twice"
            raise UsageError(msg)
        elif text or types[name] is str:
            values[name] = text
    return convert(kind, {**values, **path}, strict=False)


def ask_of_json(kind: type[Struct], body: bytes, path: Mapping[str, Any]) -> Struct:
    """Return what is asked by a JSON object.

    :raises UsageError: naming the field that is unknown or has a value that cannot be
    """
    try:
        values = msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        msg = f"the body is not a JSON object: {error}"
        raise UsageError(msg) from error
    return convert(kind, {**values, **path}, strict=True)


def convert(kind: type[Struct], values: Mapping[str, Any], *, strict: bool) -> Struct:
    """Return the values as what is asked.

    :raises UsageError: naming the field that is unknown or has a value that cannot be
    """
    unknown = sorted(values.keys() - {field.name for field in msgspec.structs.fields(kind)})
    if unknown:
        msg = f"there is no field {unknown[0][:80]!r}"
        raise UsageError(msg, hint=f"the fields are: {', '.join(kind.__struct_fields__)}")
    if any(isinstance(value, str) and "\0" in value for value in values.values()):
        msg = "a value holds the character 0, which no name or id has"
        raise UsageError(msg)
    try:
        return msgspec.convert(values, kind, strict=strict)
    except msgspec.ValidationError as error:
        msg = f"the request cannot be answered: {error}"
        raise UsageError(msg) from error


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _item(kind: Any, text: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, str):
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        msg = f"{text[:80]!r} is not JSON: {error}"
        raise UsageError(msg) from error
