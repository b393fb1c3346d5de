"""A server of HTTP/1.1 for one reader: ``/metrics`` for Prometheus, ``/healthz`` for whoever watches the agent.

Small on purpose: it runs in the process that guards. A request is its first line; whatever follows is read and
thrown away, within bounds of size and time, and every answer closes the connection.
"""

import asyncio
import ipaddress
import math
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from pratique.errors import HostError, UsageError

_MAX_HEAD: Final = 8192
_PATIENCE_S: Final = 5.0
_MAX_READERS: Final = 16
_KEPT_S: Final = 1.0
"""However often it is asked for, the text is made once in so long: that takes from the guard's time."""
_PORT: Final = re.compile(r"[0-9]{1,5}")
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def parse_address(text: str) -> tuple[str, int]:
    """Read ``address:port``.

    :raises UsageError: when it is no address of this form
    """
    address, _, port = text.rpartition(":")
    address = address.removeprefix("[").removesuffix("]")
    if not _is_address(address) or not _PORT.fullmatch(port) or int(port) > 65535:
        msg = f"{text[:80]!r} is not an address and port like 127.0.0.1:9470"
        raise UsageError(msg, hint="set PRATIQUE_METRICS to one, or to 'off'")
    return address, int(port)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@asynccontextmanager
async def serve_metrics(address: tuple[str, int], text: Callable[[], bytes]) -> AsyncIterator[int]:
    """Serve for as long as the block lasts; the value is the port.

    :raises HostError: when the address cannot be listened on
    """
    readers = asyncio.Semaphore(_MAX_READERS)
    kept = _kept(text)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            if not readers.locked():
                async with readers, asyncio.timeout(_PATIENCE_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(_answer(head, kept))
                    await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(handle, *address, limit=_MAX_HEAD)
    except OSError as error:
        msg = f"metrics cannot be served at {address[0]}:{address[1]}: {error.strerror}"
        raise HostError(msg, hint="set PRATIQUE_METRICS to another address and port, or to 'off'") from error
    async with server:
        yield server.sockets[0].getsockname()[1]


def _kept(text: Callable[[], bytes]) -> Callable[[], bytes]:
    made, made_at = b"", -math.inf

    def kept() -> bytes:
        nonlocal made, made_at
        if time.monotonic() - made_at > _KEPT_S:
            made, made_at = text(), time.monotonic()
        return made

    return kept


def _answer(head: bytes, text: Callable[[], bytes]) -> bytes:
    method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
    target, _, version = rest.partition(b" ")
    if not version.startswith(b"HTTP/1."):
        return _response("400 Bad Request", b"this is not HTTP/1\n")
    if method not in {b"GET", b"HEAD"}:
        return _response("405 Method Not Allowed", b"only GET and HEAD\n", "Allow: GET, HEAD\r\n")
    path = target.partition(b"?")[0]
    if path == b"/metrics":
        answer = _response("200 OK", text())
    elif path == b"/healthz":
        answer = _response("200 OK", b"ok\n")
    else:
        answer = _response("404 Not Found", b"there are /metrics and /healthz\n")
    return answer if method == b"GET" else answer[: answer.index(b"\r\n\r\n") + 4]


def _response(status: str, body: bytes, more: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {_TEXT}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    )
    return head.encode() + body
