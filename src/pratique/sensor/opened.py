"""Which files of its image a container opens: feature and blob ``opened``, events ``PQ_EVENT_OPENED`` of ``wire.h``."""

import struct
from typing import ClassVar, Final

from pratique.model import OpenedEvent
from pratique.sensor.feature import Feature
from pratique.sensor.process import path_of
from pratique.sensor.wire import EventKind

OPENED_EVENT: Final = struct.Struct("=QQII256s")
"""``struct pq_opened_event``"""


class Opened(Feature):
    """Each file of the image once a container."""

    name: ClassVar[str] = "opened"
    rings: ClassVar[tuple[str, ...]] = ("pq_opened",)

    def decode(self, record: bytes, offset: float) -> OpenedEvent | None:
        """Return the file in a record."""
        return decode_opened(record, offset)


def decode_opened(record: bytes, offset: float) -> OpenedEvent | None:
    """Return the file in a record, or None when there is none.

    :param offset: see :meth:`pratique.sensor.feature.Feature.decode`
    """
    if len(record) < OPENED_EVENT.size:
        return None
    at, cgroup, kind, pid, names = OPENED_EVENT.unpack_from(record)
    if kind != EventKind.OPENED:
        return None
    return OpenedEvent(at=at / 1e9 + offset, cgroup=cgroup, pid=pid, path=path_of(names))
