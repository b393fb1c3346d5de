"""Sockets below IP: features ``packet-socket`` (the system call) and ``packet-link`` (the frames).

``packet-link`` sits on the host's end of each container's veth pair, so it follows the pairs as they come and go. A
link to an interface ends with the interface; only its pin stays behind.
"""

import os
import struct
from collections.abc import Mapping
from typing import ClassVar, Final

from pratique.errors import KernelError
from pratique.model import PacketSocketEvent
from pratique.sensor.blob import BlobHeader, Loaded
from pratique.sensor.feature import Feature, attach_program
from pratique.sensor.kernel import AttachType, link_tcx
from pratique.sensor.netlink import VethWatch

_EVENT_PACKET_SOCKET: Final = 17
_RECORD: Final = struct.Struct("=QQIIII16s")
"""``struct pq_packet_socket_event``"""
_FRAME_PROGRAM: Final = "judge_frame"


class PacketSocket(Feature):
    """The system call ``socket`` with a family that the hooks of IP do not see."""

    name: ClassVar[str] = "packet-socket"
    rings: ClassVar[tuple[str, ...]] = ("pq_packets",)

    def decode(self, record: bytes, offset: float) -> PacketSocketEvent | None:
        """Return the request in a record."""
        return decode_packet_socket(record, offset)


def decode_packet_socket(record: bytes, offset: float) -> PacketSocketEvent | None:
    """Return the event in a record, or None when it is none.

    :param offset: see :meth:`pratique.sensor.feature.Feature.decode`
    """
    if len(record) < _RECORD.size:
        return None
    at, cgroup, kind, pid, family, stopped, command = _RECORD.unpack_from(record)
    if kind != _EVENT_PACKET_SOCKET:
        return None
    return PacketSocketEvent(
        at=at / 1e9 + offset,
        cgroup=cgroup,
        pid=pid,
        family=family,
        command=command.split(b"\0", 1)[0].decode(errors="backslashreplace"),
        killed=bool(stopped),
    )
