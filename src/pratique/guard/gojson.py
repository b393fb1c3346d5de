r"""JSON as the engine reads it.

The engine is written in Go, whose ``encoding/json`` accepts more than one spelling of a document: keys match fields
without regard to case (``\u017f`` counts as s, ``\u212a`` as k), repeated objects merge, ``null`` leaves a field as it
was, text after the document is ignored, broken UTF-8 is replaced. Whoever reads otherwise than the engine is bypassed.
So the guard refuses every document that two readers could understand differently, and reads the rest as Go does:
field names without regard to case, ``null`` as absent.
"""

import functools
import json
from typing import Any, Final, NoReturn, TypeVar

import msgspec
from msgspec import Struct

from pratique.guard.refusal import refuse

MAX_BYTES: Final = 256 << 10
"""Far more than any container needs, and little enough that a flood of such bodies does not stop the guard."""
MAX_DEPTH: Final = 64
MAX_VALUES: Final = 20_000

_T = TypeVar("_T", bound=Struct)


class Pairs(list[tuple[str, Any]]):
    """A JSON object as it was written: every key, in order, repetitions included."""


def parse(body: bytes) -> Any:
    """Parse one JSON document exactly; objects come as :class:`Pairs`.

    :raises Refusal: ``request.body``, when the document is not exact JSON or is beyond the limits
    """
    if len(body) > MAX_BYTES:
        _refuse(f"it has {len(body)} bytes, more than {MAX_BYTES}")
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        _refuse("it is not UTF-8")
    except RecursionError:
        _refuse(f"it is nested deeper than {MAX_DEPTH}")
    except ValueError as error:
        _refuse(str(error))
    _check(value)
    return value


def read(body: bytes, kind: type[_T]) -> _T:
    """Read a body into a struct.

    A key that the struct does not know is refused unless its value is Go's zero, with which no engine does anything.
    (``[]`` is not: an empty list of masked paths unmasks all.)

    :param kind: a struct; its ``IGNORED`` names the fields that are known and not judged, its ``MISPLACED`` those
        that only old engines read at this place
    :raises Refusal: ``request.body``, ``request.unknown-field`` or ``create.legacy-field``
    """
    value = parse(body)
    if not isinstance(value, Pairs):
        _refuse("it is not an object")
    try:
        return msgspec.convert(_object(value, kind, ""), kind)
    except msgspec.ValidationError as error:
        _refuse(str(error))


def trusted(value: dict[str, Any], kind: type[_T]) -> _T:
    """Read what the engine itself says; keys that the struct does not know are left out, ``null`` is absent.

    :raises Refusal: ``guard.failed``, when a value has a type that the guard does not expect
    """
    try:
        return msgspec.convert(_without_null(value), kind)
    except msgspec.ValidationError as error:
        refuse("guard.failed", f"the engine's answer cannot be judged: {error}")


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    return value


@functools.cache
def _names(
    kind: type[Struct],
) -> tuple[dict[str, tuple[str, msgspec.inspect.Type]], frozenset[str], frozenset[str]]:
    """Return, in lower case, the names of a struct's fields, of those known and ignored, and of those misplaced."""
    fields = {
        field.encode_name.lower(): (field.encode_name, msgspec.inspect.type_info(field.type))
        for field in msgspec.structs.fields(kind)
    }
    ignored = frozenset(name.lower() for name in getattr(kind, "IGNORED", ()))
    misplaced = frozenset(name.lower() for name in getattr(kind, "MISPLACED", ()))
    return fields, ignored, misplaced


def _object(value: Pairs, kind: type[Struct], where: str) -> dict[str, Any]:
    fields, ignored, misplaced = _names(kind)
    result: dict[str, Any] = {}
    seen: set[str] = set()
    for key, item in value:
        name = f"{where}.{key}" if where else key
        if not key.isascii():
            _refuse(f"the field name {name!r} is not ASCII")
        folded = key.lower()
        if folded in seen:
            _refuse(f"the field {name!r} stands twice")
        seen.add(folded)
        if folded in fields:
            if item is not None:
                encoded, type_info = fields[folded]
                result[encoded] = _typed(item, type_info, name)
        elif folded in ignored or item in (None, False, 0, ""):
            continue
        elif folded in misplaced:
            refuse("create.legacy-field", f"the body sets {name!r} outside HostConfig", "move it into HostConfig")
        else:
            refuse(
                "request.unknown-field",
                f"the body sets {name!r}, which the guard does not know",
                "leave it out, or use a newer Pratique",
            )
    return result


def _typed(item: Any, info: msgspec.inspect.Type, where: str) -> Any:
    if isinstance(info, msgspec.inspect.UnionType):
        info = next(kind for kind in info.types if not isinstance(kind, msgspec.inspect.NoneType))
    if isinstance(info, msgspec.inspect.StructType):
        return _object(item, info.cls, where) if isinstance(item, Pairs) else item
    if isinstance(info, msgspec.inspect.VarTupleType) and isinstance(item, list) and not isinstance(item, Pairs):
        return [_typed(element, info.item_type, f"{where}[{number}]") for number, element in enumerate(item)]
    if isinstance(info, msgspec.inspect.DictType) and isinstance(item, Pairs):
        return _map(item, info.value_type, where)
    return _plain(item)


def _map(item: Pairs, value_type: msgspec.inspect.Type, where: str) -> dict[str, Any]:
    """Read a Go map: keys are exact; one that stands twice would be merged or replaced, so it is refused."""
    result: dict[str, Any] = {}
    for key, element in item:
        if key in result:
            _refuse(f"the key {where}.{key} stands twice")
        result[key] = _typed(element, value_type, f"{where}.{key}")
    return result


def _plain(item: Any) -> Any:
    if isinstance(item, Pairs):
        return {key: _plain(element) for key, element in item}
    if isinstance(item, list):
        return [_plain(element) for element in item]
    return item


def _check(value: Any) -> None:
    """Bound depth and count, and refuse lone surrogates, which Go replaces."""
    level, count = [value], 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, Pairs):
                for key, element in item:
                    _check_text(key)
                    below.append(element)
            elif isinstance(item, list):
                below.extend(item)
        count += len(below)
        if count > MAX_VALUES:
            _refuse(f"it holds more than {MAX_VALUES} values")
        if not below:
            return
        level = below
    _refuse(f"it is nested deeper than {MAX_DEPTH}")


def _check_text(text: str) -> None:
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        _refuse("it holds half a surrogate pair")


def _constant(name: str) -> NoReturn:
    msg = f"it holds {name}, which JSON does not know"
    raise ValueError(msg)


def _refuse(why: str) -> NoReturn:
    refuse("request.body", f"the request's JSON body cannot be judged: {why}", "send plain JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=Pairs, parse_constant=_constant)
