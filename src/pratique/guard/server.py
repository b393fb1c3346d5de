"""The authorization plugin's server: HTTP/1.1 on a unix socket, kept alive, bounded in every way.

The engine retries a question whose connection broke with an EMPTY body, and waits for an answer without end; so every
question gets an answer, and a question that cannot be read gets a refusal.
"""

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import h11
import msgspec
import structlog
from msgspec import Struct

from pratique.errors import HostError
from pratique.guard.admission import Guard
from pratique.guard.refusal import Refusal
from pratique.guard.request import MAX_QUESTION
from pratique.model import Verdict

MAX_CONNECTIONS: Final = 256
_MAX_HEADER: Final = 64 << 10
_CHUNK: Final = 256 << 10
_IDLE_S: Final = 300.0
_READ_S: Final = 30.0

_log = structlog.get_logger(__name__)


class _Answer(Struct, frozen=True, rename="pascal", omit_defaults=True):
    """The engine honours ``Allow`` and shows ``Msg``; it ignores ``Err``."""

    allow: bool
    msg: str = ""


_ACTIVATE: Final = b'{"Implements":["authz"]}'
_ALLOW: Final = b'{"Allow":true}'


@contextlib.asynccontextmanager
async def serve(guard: Guard, path: Path) -> AsyncIterator[None]:
    """Answer the engine on a unix socket, for as long as the context lasts.

    :param guard: entered already
    :param path: the socket; its folder is made if need be, for root alone
    :raises HostError: when another plugin answers there, or the socket cannot be made
    """
    listener = _listen(path)
    ours = _identity(path)
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            with contextlib.suppress(asyncio.CancelledError):  # only by the server's end, below
                await _Connection(guard, reader, writer, crowded=len(connections) > MAX_CONNECTIONS).run()
        finally:
            connections.discard(task)

    server = await asyncio.start_unix_server(connected, sock=listener, limit=_CHUNK, backlog=MAX_CONNECTIONS)
    try:
        yield
    finally:
        server.close()
        for connection in tuple(connections):
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        if _identity(path) == ours:  # not the socket of an agent that came after us
            _remove(path)


def alive(path: Path) -> bool:
    """Tell whether somebody listens on a unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        told = path.lstat()
    except OSError:
        return None
    return told.st_dev, told.st_ino


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _listen(path: Path) -> socket.socket:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = path.parent.stat()
        if folder.st_uid != os.geteuid() or folder.st_mode & 0o022:
            msg = f"others may write to {path.parent}, and could put a plugin of theirs in place of the guard"
            raise HostError(msg, hint=f"chown root {path.parent} && chmod go-w {path.parent}")
        if path.is_symlink() or path.exists():
            if alive(path):
                msg = f"another process answers on {path}"
                raise HostError(msg, hint="stop the other agent first: 'pratique doctor' tells which")
            if not stat.S_ISSOCK(path.lstat().st_mode):
                msg = f"{path} is in the way and is not a socket"
                raise HostError(msg, hint="move it away")
            path.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        previous = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(previous)
        listener.listen(MAX_CONNECTIONS)
        listener.setblocking(False)
    except OSError as error:
        msg = f"the plugin's socket {path} cannot be made: {error.strerror or error}"
        raise HostError(msg, hint="run as root; see 'pratique doctor'") from error
    return listener


class _Connection:
    """One connection of the engine."""

    def __init__(
        self, guard: Guard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, crowded: bool
    ) -> None:
        self._guard = guard
        self._reader = reader
        self._writer = writer
        self._crowded = crowded
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEADER)

    async def run(self) -> None:
        """Answer until the engine hangs up."""
        try:
            while await self._answer_one():
                self._http.start_next_cycle()
        except (h11.ProtocolError, OSError, TimeoutError) as error:
            _log.warning("a connection of the engine broke", error=str(error))
        finally:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()

    async def _answer_one(self) -> bool:
        question = await self._next(_IDLE_S)
        if not isinstance(question, h11.Request):
            return False
        target = question.target.decode("ascii", "replace")
        asks = target == "/AuthZPlugin.AuthZReq"
        body = await self._body(keep=asks)
        if asks:
            answer = await self._decide(body)
        elif target == "/Plugin.Activate":
            answer = _ACTIVATE
        elif target == "/AuthZPlugin.AuthZRes":
            answer = _ALLOW  # a refusal here would come after the effect and only hide the result
        else:
            await self._send(404, b'{"Err":"no such call"}')
            return self._http.our_state is h11.DONE
        await self._send(200, answer)
        return self._http.our_state is h11.DONE and not self._crowded

    async def _decide(self, body: bytes | None) -> bytes:
        if self._crowded and not self._guard.is_own(body):
            busy = Refusal("guard.busy", "too many requests are waiting", "try again in a moment")
            return msgspec.json.encode(_Answer(False, busy.message))
        decision = await self._guard.decide(body)
        return _ALLOW if decision.verdict is Verdict.ALLOW else msgspec.json.encode(_Answer(False, decision.reason))

    async def _body(self, *, keep: bool) -> bytes | None:
        """Read a body to its end; ``None`` when it is too big to keep."""
        kept = bytearray()
        size = 0
        while isinstance(event := await self._next(_READ_S), h11.Data):
            size += len(event.data)
            if keep and size <= MAX_QUESTION:
                kept += event.data
        return bytes(kept) if size <= MAX_QUESTION else None

    async def _next(self, timeout_s: float) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(timeout_s):
                self._http.receive_data(await self._reader.read(_CHUNK))
        return event

    async def _send(self, status: int, body: bytes) -> None:
        headers = [
            ("Content-Type", "application/vnd.docker.plugins.v1.2+json"),
            ("Content-Length", str(len(body))),
            *([("Connection", "close")] if self._crowded else []),
        ]
        for event in (h11.Response(status_code=status, headers=headers), h11.Data(body), h11.EndOfMessage()):
            self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()
