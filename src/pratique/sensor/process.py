"""What containers execute: feature ``process``, blob ``process``, events ``PQ_EVENT_EXEC`` of ``wire.h``.

The kernel judges and kills; this module only puts what it tells into words. Everything in a record but the numbers was
written by whoever runs in the container.
"""

import struct
from collections.abc import Mapping
from typing import ClassVar, Final

from pratique.model import ExecEvent, ExecFlag
from pratique.sensor.blob import BlobHeader, Loaded
from pratique.sensor.feature import Feature
from pratique.sensor.homes import note_homes
from pratique.sensor.wire import EventKind

_RECORD: Final = struct.Struct("=QQIIIIII16s16s256s64s512s")
"""``struct pq_exec_event``"""
_ALL_FLAGS: Final = ~ExecFlag(0)
_MAX_ARGUMENTS: Final = 16


class Process(Feature):
    """Executions, and the end of those whose file was not in the image."""

    name: ClassVar[str] = "process"
    rings: ClassVar[tuple[str, ...]] = ("pq_executions",)

    def attach(self, loaded: Loaded, header: BlobHeader, cgroups: Mapping[int, int]) -> dict[str, int]:
        """Attach, then note the file systems of the containers that are there."""
        links = super().attach(loaded, header, cgroups)
        for parent in cgroups.values():
            note_homes(loaded.maps["pq_homes"], parent)
        return links

    def decode(self, record: bytes, offset: float) -> ExecEvent | None:
        """Return the execution in a record."""
        return decode_execution(record, offset)


def decode_execution(record: bytes, offset: float) -> ExecEvent | None:
    """Return the execution in a record, or None when it is none.

    :param offset: see :meth:`pratique.sensor.feature.Feature.decode`
    """
    if len(record) < _RECORD.size:
        return None
    at, cgroup, kind, pid, parent, uid, raw_flags, _, *texts = _RECORD.unpack_from(record)
    if kind != EventKind.EXEC:
        return None
    command, parent_command, filename, interpreter, arguments = texts
    flags = ExecFlag(raw_flags) & _ALL_FLAGS
    return ExecEvent(
        at=at / 1e9 + offset,
        cgroup=cgroup,
        pid=pid,
        parent=parent,
        uid=uid,
        filename=path_of(filename) if ExecFlag.LIBRARY in flags else _text(filename),
        interpreter=_text(interpreter),
        arguments=_arguments(arguments),
        command=_text(command),
        parent_command=_text(parent_command),
        flags=flags,
    )


def _text(raw: bytes) -> str:
    """Return a C string; bytes that are not UTF-8 are spelt out, so that the text is the same everywhere."""
    return raw.split(b"\0", 1)[0].decode(errors="backslashreplace")


def path_of(raw: bytes) -> str:
    """Return the path of a file from its names, the file's first; ``…/`` stands for what did not fit."""
    names = [_text(name) for name in raw.rstrip(b"\0").split(b"\0")]
    if names[-1] == "/":
        return "/" + "/".join(reversed(names[:-1]))
    if len(names) == 1:
        return names[0]
    return "…/" + "/".join(reversed(names))


def _arguments(raw: bytes) -> tuple[str, ...]:
    """Return ``argv`` as far as it was read. Empty arguments at its end cannot be told from the padding."""
    stripped = raw.rstrip(b"\0")
    return tuple(_text(part) for part in stripped.split(b"\0")[:_MAX_ARGUMENTS]) if stripped else ()
