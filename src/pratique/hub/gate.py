"""The outermost part of the console: what a request must be before anything looks at it, and every answer's headers.

It decides from the request's head alone, so that a flood costs little: a bounded number of requests is under way, and
what comes faster than its bucket fills is answered with 429. Requests of a session have a bucket and places of their
own; a flood by somebody who is not logged in leaves those who are their share.
"""

import asyncio
from collections import Counter
from http import HTTPStatus
from typing import Any, ClassVar, Final

import msgspec
from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pratique.hub.problems import Problem
from pratique.hub.sessions import Bucket, Session, Sessions

MAX_BODY_BYTES: Final = 64 << 10
MAX_TARGET_BYTES: Final = 4 << 10
"""Path and query of a request."""
MAX_UNDER_WAY: Final = 64
"""Requests that are answered at the same time, of sessions and of all others so many each; streams of events are
counted where they are served."""
BODY_WITHIN_S: Final = 10.0
"""How long a client may take for the body of a request: it has one of the places under way meanwhile."""
METHODS: Final = frozenset({"GET", "HEAD", "POST"})
_DIGITS: Final = 9
_WHY: Final = {
    HTTPStatus.SERVICE_UNAVAILABLE: "too many requests are under way",
    HTTPStatus.TOO_MANY_REQUESTS: "too many requests",
    HTTPStatus.MISDIRECTED_REQUEST: "the console is not known by this name",
    HTTPStatus.METHOD_NOT_ALLOWED: "only GET, HEAD and POST are answered",
    HTTPStatus.REQUEST_URI_TOO_LONG: f"path and query have more than {MAX_TARGET_BYTES} bytes",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"the body has more than {MAX_BODY_BYTES} bytes",
}
SESSION: Final = "pratique.session"
"""Where in the scope the session of a request is."""

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not no-referrer: that makes browsers send 'Origin: null' with forms, and the check of the origin needs it.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)


class Names(Struct, frozen=True):
    """By which names browsers may ask: any other would be a name of somebody else that points here (DNS rebinding)."""

    hosts: frozenset[str]
    """Lower case, without a port."""

    def holds(self, authority: str) -> bool:
        """Tell whether a ``Host`` header names this console."""
        return _host_of(authority) in self.hosts


class Gate:
    """An ASGI application in front of the others."""

    def __init__(self, app: ASGIApp, names: Names, sessions: Sessions, cookie: str, anonymous: Bucket) -> None:
        self._app = app
        self._names = names
        self._sessions = sessions
        self._cookie = cookie
        self._anonymous = anonymous
        self._under_way: Counter[bool] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        session = self._session(headers.get(b"cookie", b""))
        refusal = self._refusal(scope, headers, session)
        if refusal is not None:
            await _refuse(send, refusal)
            return
        scope[SESSION] = session
        counts, known = scope["path"] != "/events", session is not None
        self._under_way[known] += counts
        try:
            await self._app(scope, _bounded(receive), _dressed(send, closes=not known))
        finally:
            self._under_way[known] -= counts

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes], session: Session | None) -> HTTPStatus | None:
        if self._under_way[session is not None] >= MAX_UNDER_WAY:
            return HTTPStatus.SERVICE_UNAVAILABLE
        if not (self._anonymous if session is None else session.bucket).take():
            return HTTPStatus.TOO_MANY_REQUESTS
        target = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        length = headers.get(b"content-length", b"0")
        flaws = {
            HTTPStatus.MISDIRECTED_REQUEST: not self._names.holds(headers.get(b"host", b"").decode("latin-1")),
            HTTPStatus.METHOD_NOT_ALLOWED: scope["method"] not in METHODS,
            HTTPStatus.REQUEST_URI_TOO_LONG: target > MAX_TARGET_BYTES,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE: len(length) > _DIGITS
            or not length.isdigit()
            or int(length) > MAX_BODY_BYTES,
        }
        return next((status for status, holds in flaws.items() if holds), None)

    def _session(self, header: bytes) -> Session | None:
        # Not http.cookies: it takes seconds for a long value in quotes, and one flawed cookie hides all others.
        pairs = (pair.partition("=") for pair in header.decode("latin-1").split(";"))
        values = [value.strip() for name, _, value in pairs if name.strip() == self._cookie]
        return self._sessions.find(values[-1]) if values else None


class BodyError(Exception):
    """A body that is not taken."""

    status: ClassVar[HTTPStatus]


class TooLargeError(BodyError):
    """A body without a length went on beyond the bound."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class TooSlowError(BodyError):
    """A body did not come within its time."""

    status = HTTPStatus.REQUEST_TIMEOUT


def _bounded(receive: Receive) -> Receive:
    taken = 0
    until: float | None = asyncio.get_running_loop().time() + BODY_WITHIN_S

    async def bounded() -> Message:
        nonlocal taken, until
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError as error:
            raise TooSlowError from error
        taken += len(message.get("body", b""))
        if taken > MAX_BODY_BYTES:
            raise TooLargeError
        if not message.get("more_body"):
            until = None  # what comes next is the end of the connection, however late
        return message

    return bounded


def _dressed(send: Send, *, closes: bool) -> Send:
    """Return what sends an answer with the headers that all have.

    :param closes: the connection ends with it: whoever is not logged in cannot hold one that others wait for
    """

    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            extra = [pair for pair in _HEADERS if pair[0] not in present]
            if b"cache-control" not in present:
                extra.append((b"cache-control", b"no-store"))
            if closes:
                extra.append((b"connection", b"close"))
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return dressed


def _headers(scope: Scope) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        # Two Host or Content-Length headers that differ are an attack; neither then is right.
        headers[name] = value if headers.get(name, value) == value or name == b"cookie" else b"\0"
    return headers


def _host_of(authority: str) -> str:
    """Return the host of ``host``, ``host:port``, ``[v6]:port`` in lower case; ``""`` when it is none of them."""
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        host, port = authority, ""
    if port and not (port.isascii() and port.isdigit()):
        return ""
    if host.startswith("[") != host.endswith("]") or (":" in host and not host.startswith("[")):
        return ""
    return host.lower()


async def _refuse(send: Send, status: HTTPStatus) -> None:
    body = msgspec.json.encode(Problem(title=status.phrase, status=status.value, detail=_WHY[status]))
    headers: list[tuple[bytes, Any]] = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
        *_HEADERS,
    ]
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
