"""A name server that knows every name. Source: RFC 1035, RFC 3596. Pure but for the names that it remembers."""

import struct
from typing import Final

from msgspec import Struct

from pratique.sandbox.sinkhole.names import Names
from pratique.text import printable

_HEADER: Final = struct.Struct(">HHHHHH")
_FIXED: Final = struct.Struct(">HH")
_ANSWER: Final = struct.Struct(">HHHIH")
_TO_QUESTION: Final = 0xC00C
_A, _PTR, _MX, _TXT, _AAAA, _ANY = 1, 12, 15, 16, 28, 255
_IN: Final = 1
_RESPONSE: Final = 0x8180
"""An answer of a resolver that would recurse: QR, RD, RA."""
_KIND_BITS: Final = 0xF800
"""QR and the opcode: both 0 in a question."""
_TTL_S: Final = 60
_MAX_LABEL: Final = 63
_MAX_NAME: Final = 253
_REVERSE: Final = (".in-addr.arpa", ".ip6.arpa")
_REFUSED: Final = 3


class Question(Struct, frozen=True):
    """What is asked. ``name`` has no dot at its end, is in lower case and fit to be shown."""

    number: int
    name: str
    kind: int
    raw: bytes
    """The question as it stands in the message."""


def parse(message: bytes) -> Question | None:
    """Return the question of a message, or None when it is none."""
    if len(message) < _HEADER.size:
        return None
    number, flags, questions, answers, _, _ = _HEADER.unpack_from(message)
    if flags & _KIND_BITS or questions != 1 or answers:
        return None
    position = _HEADER.size
    labels: list[str] = []
    while position < len(message) and (length := message[position]):
        label = message[position + 1 : position + 1 + length]
        if length > _MAX_LABEL or len(label) < length:
            return None
        labels.append(label.decode("latin-1"))
        position += 1 + length
    end = position + 1 + _FIXED.size
    name = ".".join(labels)
    if end > len(message) or len(name) > _MAX_NAME:
        return None
    kind, group = _FIXED.unpack_from(message, position + 1)
    if group != _IN:
        return None
    return Question(number, printable(name.lower()), kind, message[_HEADER.size : end])


def answer(question: Question, names: Names) -> bytes:
    """Return the answer to a question. Whatever the name, it exists."""
    reverse = question.name.endswith(_REVERSE)
    records = [] if reverse or not question.name else _records(question, names)
    flags = _RESPONSE | (_REFUSED if reverse else 0)
    return _HEADER.pack(question.number, flags, 1, len(records), 0, 0) + question.raw + b"".join(records)


def _records(question: Question, names: Names) -> list[bytes]:
    four, six = names.addresses(question.name)
    if question.kind in {_A, _ANY}:
        return [_record(_A, four.packed)]
    if question.kind == _AAAA:
        return [_record(_AAAA, six.packed)]
    if question.kind == _MX:
        return [_record(_MX, b"\0\x0a" + _TO_QUESTION.to_bytes(2, "big"))]
    if question.kind == _TXT:
        text = b"v=spf1 a -all"
        return [_record(_TXT, bytes([len(text)]) + text)]
    return []


def _record(kind: int, data: bytes) -> bytes:
    return _ANSWER.pack(_TO_QUESTION, kind, _IN, _TTL_S, len(data)) + data
