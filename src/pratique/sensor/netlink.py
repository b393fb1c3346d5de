"""Where frames of containers come in on this side, by rtnetlink(7).

A veth counts whose other end is in another network namespace (attribute ``IFLA_LINK_NETNSID``): that is how an engine
connects a container. Bridges count too: what goes on to the world comes out of one, also from a veth so new that nobody
has seen it yet. Everything else on the host is left alone.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from pratique.errors import KernelError

_HEADER: Final = struct.Struct("=IHHII")
"""``struct nlmsghdr``"""
_LINK: Final = struct.Struct("=BxHiII")
"""``struct ifinfomsg``"""
_ATTRIBUTE: Final = struct.Struct("=HH")
"""``struct rtattr``"""
_NEW_LINK: Final = 16
_DELETED_LINK: Final = 17
_GET_LINK: Final = 18
_REQUEST_DUMP: Final = 0x301
_GROUP_LINK: Final = 1
_LINK_INFO: Final = 18
_LINK_NETNSID: Final = 37
_INFO_KIND: Final = 1
_TYPE_MASK: Final = 0x3FFF
_RECEIVE_BYTES: Final = 1 << 16
_BUFFER_BYTES: Final = 1 << 20
_MAX_READS: Final = 256


class LinkChange(Struct, frozen=True):
    """A veth with its other end elsewhere or a bridge is there, or an interface is gone."""

    index: int
    present: bool


class LinkWatch:
    """Tells which veths and bridges are there and which come and go, in the network namespace in which it was made.

    The socket is readable when there is something to :meth:`read`.

    :raises KernelError: when the kernel refuses the socket
    """

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            self._socket.bind((0, _GROUP_LINK))
            self._ask()
        except OSError as error:
            msg = f"network interfaces cannot be watched: {error.strerror}"
            raise KernelError(msg) from error

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def read(self) -> list[LinkChange]:
        """Return what waits. After an overflow everything that is there is told again."""
        changes: list[LinkChange] = []
        for _ in range(_MAX_READS):
            try:
                message, sender = self._socket.recvfrom(_RECEIVE_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    msg = f"network interfaces cannot be watched: {os.strerror(error.errno or 0)}"
                    raise KernelError(msg) from error
                self._ask()
                continue
            if sender[0] == 0:  # from the kernel, not from another process
                changes.extend(parse_changes(message))
        return changes

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _ask(self) -> None:
        request = _HEADER.pack(_HEADER.size + _LINK.size, _GET_LINK, _REQUEST_DUMP, 1, 0) + _LINK.pack(0, 0, 0, 0, 0)
        self._socket.sendto(request, (0, 0))


def parse_changes(data: bytes) -> list[LinkChange]:
    """Return the changes in a netlink datagram; what is damaged or about other interfaces is passed over."""
    changes: list[LinkChange] = []
    position = 0
    while position + _HEADER.size <= len(data):
        length, kind = _HEADER.unpack_from(data, position)[:2]
        if not _HEADER.size <= length <= len(data) - position:
            break
        body = data[position + _HEADER.size : position + length]
        position += (length + 3) & ~3
        if kind not in {_NEW_LINK, _DELETED_LINK} or len(body) < _LINK.size:
            continue
        index: int = _LINK.unpack_from(body)[2]
        if kind == _DELETED_LINK:
            changes.append(LinkChange(index=index, present=False))
        elif _brings_frames(dict(_attributes(body[_LINK.size :]))):
            changes.append(LinkChange(index=index, present=True))
    return changes


def _brings_frames(attributes: dict[int, bytes]) -> bool:
    information = dict(_attributes(attributes.get(_LINK_INFO, b"")))
    kind = information.get(_INFO_KIND, b"").rstrip(b"\0")
    return kind == b"bridge" or (kind == b"veth" and _LINK_NETNSID in attributes)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, position)
        if not _ATTRIBUTE.size <= length <= len(data) - position:
            return
        yield kind & _TYPE_MASK, data[position + _ATTRIBUTE.size : position + length]
        position += (length + 3) & ~3
