"""One side of a conversation over TCP, with TLS or without, within bounds."""

import asyncio
import ssl
from typing import Final, Protocol

from pratique.sandbox.sinkhole.authority import Authority, server_context

CHUNK: Final = 16_384
MOST_BYTES: Final = 8 << 20
PATIENCE_S: Final = 20.0


class Stream(Protocol):
    """What a service talks through."""

    async def read(self) -> bytes:
        """Return some bytes; none at the end, or when the other side keeps silent too long or says too much."""

    async def write(self, data: bytes) -> None:
        """Send bytes."""


class Plain:
    """A TCP connection. ``put_back`` gives bytes to be read once more."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._again = b""
        self._left = MOST_BYTES

    async def read(self, patience_s: float = PATIENCE_S) -> bytes:
        """Return some bytes: see :class:`Stream`."""
        if self._again:
            data, self._again = self._again, b""
            return data
        if self._left <= 0:
            return b""
        try:
            async with asyncio.timeout(patience_s):
                data = await self._reader.read(CHUNK)
        except TimeoutError:
            return b""
        self._left -= len(data)
        return data

    def put_back(self, data: bytes) -> None:
        """Let bytes be read once more."""
        self._again = data + self._again

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)
        async with asyncio.timeout(PATIENCE_S):
            await self._writer.drain()


class Secure:
    """TLS within a connection; make one with :meth:`accept`."""

    def __init__(self, plain: Plain, authority: Authority, host: str) -> None:
        self._plain = plain
        self._authority = authority
        self.name = ""
        """The name that the client asked for (RFC 6066, server_name)."""
        context = server_context()
        context.sni_callback = self._choose
        self._host = host
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def accept(self) -> bool:
        """Shake hands; tell whether that worked."""
        try:
            while True:
                try:
                    self._tls.do_handshake()
                except ssl.SSLWantReadError:
                    await self._flush()
                    if not await self._fill():
                        return False
                else:
                    await self._flush()
                    return True
        except (ssl.SSLError, OSError, ValueError):
            await self._flush()
            return False

    async def read(self) -> bytes:
        """Return some bytes: see :class:`Stream`."""
        while True:
            try:
                return self._tls.read(CHUNK)
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._fill():
                    return b""
            except ssl.SSLError:
                return b""

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise ConnectionError from error
        await self._flush()

    def _choose(self, tls: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        del context
        self.name = name or ""
        tls.context = self._authority.context(self.name or self._host)

    async def _fill(self) -> bool:
        data = await self._plain.read()
        if data:
            self._incoming.write(data)
        return bool(data)

    async def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            await self._plain.write(data)
