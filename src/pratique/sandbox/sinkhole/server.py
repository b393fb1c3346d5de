"""The listeners: one for every TCP port of every address, one for every UDP port, one for ICMP echoes."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from msgspec.structs import replace

from pratique.model import BaitEvent, ConversationEvent, Protocol, Service
from pratique.sandbox.bait import SOCKET, SOCKET_KIND, engine_answer
from pratique.sandbox.files import command_of
from pratique.sandbox.network import TCP_PORT, families
from pratique.sandbox.sinkhole import dns, services
from pratique.sandbox.sinkhole.authority import Authority
from pratique.sandbox.sinkhole.datagrams import Datagrams, Echoes, transparent
from pratique.sandbox.sinkhole.events import MOST_PAYLOAD, Teller
from pratique.sandbox.sinkhole.names import Names, is_address
from pratique.sandbox.sinkhole.recognise import SMTP_PORTS, greeting, recognise
from pratique.sandbox.sinkhole.stream import Plain, Secure, Stream
from pratique.text import printable

_MOST_AT_ONCE: Final = 512
_SILENCE_S: Final = 1.0
"""After that a client is taken for one that waits for the server to speak first."""
_GRACE_S: Final = 0.2
"""For what was sent in the last instant of a run."""
_BACKLOG: Final = 1024
_PEER: Final = struct.Struct("=iII")
_MAPPED: Final = "::ffff:"
_WORTH_A_WORD: Final = frozenset({Service.HTTP, Service.STRATUM, Service.SMTP})
_Served = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Everything that the sinkhole answers."""

    def __init__(self, authority: Authority, teller: Teller) -> None:
        self._authority = authority
        self._teller = teller
        self._names = Names()
        self._open = 0
        self._silent: set[Peer] = set()
        """Those that said nothing yet."""

    @contextlib.asynccontextmanager
    async def listening(self, engine: socket.socket) -> AsyncIterator[None]:
        """Serve while the context lasts."""
        async with contextlib.AsyncExitStack() as stack:
            for family in families():
                listener = transparent(family, socket.SOCK_STREAM)
                listener.bind(("", TCP_PORT))
                listener.listen(_BACKLOG)
                await stack.enter_async_context(await asyncio.start_server(self._bounded(self._talk), sock=listener))
                stack.enter_context(Datagrams(family, self._names, self._tell))
                stack.enter_context(Echoes(family, self._tell))
            if engine.getsockname():
                engine.listen(_BACKLOG)
                unix = await asyncio.start_unix_server(self._bounded(self._be_engine), sock=engine)
                await stack.enter_async_context(unix)
            yield
            await asyncio.sleep(_GRACE_S)
            for peer in self._silent.copy():
                peer.tell(Service.TCP, services.Said("", b""))

    def _tell(self, event: ConversationEvent) -> None:
        if event.service is not Service.DNS and (not event.name or is_address(event.name)):
            event = replace(event, name=self._names.name_of(event.address))
        self._teller.tell(event)

    def _bounded(self, serve: _Served) -> _Served:
        """Serve only so many at once, and whatever happens in one, the others go on."""

        async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self._open >= _MOST_AT_ONCE:
                self._teller.omitted += 1
                writer.transport.abort()
                return
            self._open += 1
            try:
                await serve(reader, writer)
            except (OSError, TimeoutError):
                pass
            finally:
                self._open -= 1
                writer.close()

        return served

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address, port = writer.get_extra_info("sockname")[:2]
        peer = Peer(address.removeprefix(_MAPPED), port, self._tell)
        self._silent.add(peer)
        try:
            await self._talk_with(peer, reader, writer)
        finally:
            self._silent.discard(peer)

    async def _talk_with(self, peer: "Peer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        plain = Plain(reader, writer)
        first = b"" if peer.port in SMTP_PORTS else await plain.read(_SILENCE_S)
        greeted = False
        if not first:
            greeted = bool(banner := greeting(peer.port))
            if greeted:
                await plain.write(banner)
            first = await plain.read()
        self._silent.discard(peer)
        service = recognise(first, peer.port)
        if service is Service.TLS:
            await self._talk_secretly(plain, first, peer)
            return
        if service is Service.DNS:
            await self._be_resolver(plain, first, peer)
            return
        if service not in _WORTH_A_WORD:
            peer.tell(service, services.Said("", first))
            await _listen(plain)
            return
        plain.put_back(first)
        await _serve(plain, service, peer, greeted=greeted)

    async def _talk_secretly(self, plain: Plain, first: bytes, peer: "Peer") -> None:
        secure = Secure(plain, self._authority, peer.address)
        plain.put_back(first)
        accepted = await secure.accept()
        peer.tell(Service.TLS, services.Said("", first, printable(secure.name)))
        if not accepted:
            return
        inner = await secure.read()
        service = recognise(inner, peer.port)
        if service in _WORTH_A_WORD:
            await _serve(_Again(secure, inner), service, peer, greeted=False)
        elif inner:
            peer.tell(Service.TCP, services.Said("", inner, printable(secure.name)))
            await _listen(secure)

    async def _be_resolver(self, plain: Plain, first: bytes, peer: "Peer") -> None:
        """DNS over TCP: RFC 7766, each message with its length in two bytes."""
        while first:
            question = dns.parse(first[2:])
            if question is None:
                return
            peer.tell(Service.DNS, services.Said(str(question.kind), first[2:], question.name))
            answer = dns.answer(question, self._names)
            await plain.write(len(answer).to_bytes(2, "big") + answer)
            first = await plain.read()

    async def _be_engine(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        pid, _, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        command = command_of(pid)
        first = await Plain(reader, writer).read(_SILENCE_S)
        line = printable(first.partition(b"\n")[0].strip().decode("latin-1"))[:512]
        self._teller.tell(BaitEvent(time.time(), 0, pid, command, SOCKET_KIND, SOCKET, line))
        if line:
            writer.write(engine_answer(line))
            await writer.drain()


class Peer:
    """Whom a connection of the container was for."""

    def __init__(self, address: str, port: int, tell: Callable[[ConversationEvent], None]) -> None:
        self.address = address
        self.port = port
        self._tell = tell

    def tell(self, service: Service, said: services.Said) -> None:
        """Tell what was said."""
        payload = said.payload[:MOST_PAYLOAD]
        event = ConversationEvent(
            time.time(), service, Protocol.TCP, self.address, self.port, said.name, said.request, payload
        )
        self._tell(event)


class _Again:
    """A stream whose first bytes were read already."""

    def __init__(self, stream: Stream, first: bytes) -> None:
        self._stream = stream
        self._first = first

    async def read(self) -> bytes:
        first, self._first = self._first, b""
        return first or await self._stream.read()

    async def write(self, data: bytes) -> None:
        await self._stream.write(data)


async def _listen(stream: Stream) -> None:
    """Keep silent until the other side has no more to say: whoever is hung up on calls again and again."""
    while await stream.read():
        pass


async def _serve(stream: Stream, service: Service, peer: Peer, *, greeted: bool) -> None:
    def tell(said: services.Said) -> None:
        peer.tell(service, said)

    if service is Service.HTTP:
        await services.http(stream, tell)
    elif service is Service.STRATUM:
        await services.stratum(stream, tell)
    else:
        await services.smtp(stream, tell, greeted=greeted)
