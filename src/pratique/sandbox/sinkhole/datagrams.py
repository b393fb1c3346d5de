"""Datagrams: each is told, names are answered. Source of the original address: ip(7), ``IP_RECVORIGDSTADDR``."""

import asyncio
import contextlib
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from pratique.model import ConversationEvent, Protocol, Service
from pratique.sandbox.network import UDP_PORT
from pratique.sandbox.sinkhole import dns
from pratique.sandbox.sinkhole.events import MOST_PAYLOAD
from pratique.sandbox.sinkhole.names import Names

IP_TRANSPARENT: Final = 19
IPV6_TRANSPARENT: Final = 75
_RECVORIGDSTADDR: Final = {socket.AF_INET: (socket.SOL_IP, 20), socket.AF_INET6: (socket.IPPROTO_IPV6, 74)}
_SPACE: Final = 256
_DATAGRAM: Final = 65_536
_BATCH: Final = 64
_ECHO4, _ECHO6 = 8, 128
_PKTINFO6: Final = 49
"""``IPV6_RECVPKTINFO``; what comes has the kind 50."""
_BUFFER_BYTES: Final = 4 << 20
_SO_RCVBUFFORCE: Final = 33
_Tell = Callable[[ConversationEvent], None]


def transparent(family: int, kind: int) -> socket.socket:
    """Make a socket that may have any address: ip(7), ``IP_TRANSPARENT``."""
    made = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    else:
        made.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
    return made


class _Listener(ABC):
    """A socket that the event loop reads, a few messages at a time."""

    def __init__(self, made: socket.socket) -> None:
        self._socket = made
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        asyncio.get_running_loop().add_reader(made.fileno(), self._read)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def _read(self) -> None:
        for _ in range(_BATCH):
            try:
                data, ancillary, _, source = self._socket.recvmsg(_DATAGRAM, _SPACE)
            except OSError:
                return
            self._take(data, ancillary, source)

    @abstractmethod
    def _take(self, data: bytes, ancillary: list[tuple[int, int, bytes]], source: Any) -> None:
        """Tell of a message, and answer it."""


class Datagrams(_Listener):
    """Every UDP port of every address of a family."""

    def __init__(self, family: socket.AddressFamily, names: Names, tell: _Tell) -> None:
        made = transparent(family, socket.SOCK_DGRAM)
        made.setsockopt(*_RECVORIGDSTADDR[family], 1)
        made.bind(("", UDP_PORT))
        self._family = family
        self._names = names
        self._tell = tell
        super().__init__(made)

    def _take(self, data: bytes, ancillary: list[tuple[int, int, bytes]], source: Any) -> None:
        meant = next(
            (address_of(data) for *kind, data in ancillary if tuple(kind) == _RECVORIGDSTADDR[self._family]), None
        )
        if meant is None:
            return
        address, port = meant
        question = dns.parse(data)
        service, name, request = Service.UDP, "", ""
        if question is not None:
            service, name, request = Service.DNS, question.name, str(question.kind)
            self._answer(dns.answer(question, self._names), meant, source)
        payload = data[:MOST_PAYLOAD]
        self._tell(ConversationEvent(time.time(), service, Protocol.UDP, address, port, name, request, payload))

    def _answer(self, data: bytes, meant: tuple[str, int], source: Any) -> None:
        """Answer from the address that was asked."""
        with contextlib.suppress(OSError), transparent(self._family, socket.SOCK_DGRAM) as back:
            back.bind(meant)
            back.sendto(data, source)


class Echoes(_Listener):
    """Requests of ping, which the kernel answers: RFC 792, RFC 4443."""

    def __init__(self, family: socket.AddressFamily, tell: _Tell) -> None:
        six = family == socket.AF_INET6
        made = socket.socket(
            family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP
        )
        if six:
            made.setsockopt(socket.IPPROTO_IPV6, _PKTINFO6, 1)
        self._six = six
        self._tell = tell
        super().__init__(made)

    def _take(self, data: bytes, ancillary: list[tuple[int, int, bytes]], source: Any) -> None:
        del source
        if self._six:
            address = next(
                (socket.inet_ntop(socket.AF_INET6, each[:16]) for _, kind, each in ancillary if kind == _PKTINFO6 + 1),
                "",
            )
            message = data
        else:
            address = socket.inet_ntop(socket.AF_INET, data[16:20]) if len(data) >= 20 else ""
            message = data[(data[0] & 15) * 4 :] if data else b""
        kind = message[0] if message else 0
        if address and kind == (_ECHO6 if self._six else _ECHO4):
            payload = message[8 : 8 + MOST_PAYLOAD]
            self._tell(ConversationEvent(time.time(), Service.ICMP, Protocol.ICMP, address, kind, payload=payload))


def address_of(data: bytes) -> tuple[str, int] | None:
    """Return address and port of a ``struct sockaddr_in`` or ``sockaddr_in6``; None when it is neither."""
    if len(data) < 16:
        return None
    family, port = struct.unpack_from("=H", data)[0], struct.unpack_from(">H", data, 2)[0]
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, data[4:8]), port
    if family == socket.AF_INET6 and len(data) >= 24:
        return socket.inet_ntop(socket.AF_INET6, data[8:24]), port
    return None
