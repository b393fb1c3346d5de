"""The console as an ASGI application."""

import asyncio
import logging
import platform
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import anyio
import anyio.to_thread
import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from pratique.errors import PratiqueError, UsageError
from pratique.hub import access, assets
from pratique.hub.access import CSRF_FIELD, CSRF_HEADER, Caller
from pratique.hub.desk import Desk
from pratique.hub.endpoint import MAX_FIELDS, Endpoint, ask_of_fields, ask_of_json
from pratique.hub.events import Broadcast
from pratique.hub.gate import SESSION, BodyError, Gate, Names
from pratique.hub.openapi import openapi
from pratique.hub.pages import Pages
from pratique.hub.problems import (
    NotFoundError,
    Problem,
    RefusedError,
    TooManyError,
    UnauthenticatedError,
    problem,
    status_of,
)
from pratique.hub.sessions import Bucket, Role, Sessions
from pratique.hub.table import ACTIONS, ENDPOINTS, PAGES, Action, Page
from pratique.text import printable

API: Final = "/api/v1"
_LOG: Final = logging.getLogger(__name__)
_THREADS: Final = 6
"""Questions that are answered from the store at the same time."""
_LOGIN_FAILURES: Final = 5
_MAX_TICKET: Final = 200
_LISTS: Final = frozenset({"/map", "/review"})
"""Pages whose forms lead back to them."""

_Handler = Callable[[Request], Awaitable[Response]]


class Console(Struct, frozen=True):
    """What a console is to be."""

    names: Names
    cookie: str
    """The name of its cookie: another console on another port of the same address has another."""
    host: str = platform.node()


def create_app(console: Console, desk: Desk, stopping: asyncio.Event | None = None) -> ASGIApp:
    """Return the application.

    :param stopping: set when the server is told to stop; streams end then, and it need not wait for them
    """
    return _Application(console, desk, stopping or asyncio.Event()).gate


class _Application:
    def __init__(self, console: Console, desk: Desk, stopping: asyncio.Event) -> None:
        self._stopping = stopping
        self._console = console
        self._desk = desk
        self._pages = Pages(console.host)
        self._sessions = Sessions(time.monotonic, partial(Bucket, 300, 60.0, time.monotonic))
        self._programs = Bucket(300, 60.0, time.monotonic)
        self._failures = Bucket(_LOGIN_FAILURES, 0.1, time.monotonic)
        self._broadcast = Broadcast(desk, self._pages.row)
        self._document = msgspec.json.encode(openapi(ENDPOINTS.values(), API))
        app = Starlette(
            routes=self._routes(),
            lifespan=self._lifespan,
            exception_handlers={
                PratiqueError: self._failed,
                BodyError: self._failed,
                HTTPException: self._failed,
                Exception: self._broken,
            },
        )
        app.router.redirect_slashes = False
        anonymous = Bucket(400, 200.0, time.monotonic)
        self.gate = Gate(app, console.names, self._sessions, console.cookie, anonymous)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        del app
        self._limiter = anyio.CapacityLimiter(_THREADS)
        tasks = {asyncio.ensure_future(self._broadcast.run()), asyncio.ensure_future(self._end_streams())}
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _end_streams(self) -> None:
        await self._stopping.wait()
        self._broadcast.end()

    def _routes(self) -> list[Route]:
        routes = [
            Route("/healthz", self._health),
            Route("/login", self._login_page, methods=["GET"]),
            Route("/login", self._login, methods=["POST"]),
            Route("/logout", self._logout, methods=["POST"]),
            Route("/events", self._events, methods=["GET"]),
            Route("/api/openapi.json", self._openapi, methods=["GET"]),
            Route(f"{assets.PREFIX}/{{version}}/{{name:path}}", self._asset, methods=["GET"]),
        ]
        routes += [
            Route(API + endpoint.path, self._api(endpoint), methods=[endpoint.method])
            for endpoint in ENDPOINTS.values()
        ]
        routes += [Route(page.path, self._page(page), methods=["GET"]) for page in PAGES]
        routes += [Route(action.path, self._action(action), methods=["POST"]) for action in ACTIONS]
        return routes

    # Who asks

    async def _login_page(self, request: Request) -> Response:
        del request
        return self._html("login.html", problem="")

    async def _login(self, request: Request) -> Response:
        """Begin a session for a ticket. A ticket cannot be guessed, so a right one is never kept out by wrong ones."""
        access.require_same_origin(request.headers)
        ticket = dict(await _fields(request)).get("token", "").strip()[:_MAX_TICKET]
        role = await self._in_thread(self._desk.store.tokens.redeem, ticket, time.time())
        if role is None:
            if not self._failures.take():
                error: RefusedError = TooManyError("too many wrong tokens")
            else:
                error = UnauthenticatedError("this token was used, has expired, or never was")
            return self._html("login.html", error.status, problem=f"{error.what}: {error.hint}")
        if request.scope[SESSION] is not None:
            self._sessions.close(request.scope[SESSION])  # the new one takes its cookie's place
        opened = self._sessions.open(Role(role))
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        response.set_cookie(self._console.cookie, opened.cookie, httponly=True, samesite="strict", path="/")
        return response

    async def _logout(self, request: Request) -> Response:
        caller = await self._caller(request)
        access.require_same_origin(request.headers)
        fields = await _fields(request)
        access.require_token_of_session(caller, _take_token(request, fields))
        if caller.session is not None:
            self._sessions.close(caller.session)
        response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
        response.delete_cookie(self._console.cookie, path="/", httponly=True, samesite="strict")
        return response

    async def _caller(self, request: Request) -> Caller:
        caller = await access.identify(request, self._desk.store)
        if caller.session is None and not self._programs.take():
            msg = "too many requests of programs"
            raise TooManyError(msg)
        return caller

    # What is answered

    def _api(self, endpoint: Endpoint) -> _Handler:
        async def answer(request: Request) -> Response:
            caller = await self._caller(request)
            access.require_role(caller, endpoint.role)
            if endpoint.method == "POST":
                if caller.session is not None or "origin" in request.headers:
                    access.require_same_origin(request.headers)
                access.require_token_of_session(caller, request.headers.get(CSRF_HEADER, ""))
                ask = ask_of_json(endpoint.ask, await request.body(), request.path_params)
            else:
                ask = _asked(endpoint, request)
            return _json(await self._answer(endpoint, ask, caller))

        return answer

    def _page(self, page: Page) -> _Handler:
        endpoint = ENDPOINTS[page.endpoint]

        async def answer(request: Request) -> Response:
            caller = await self._caller(request)
            ask = _asked(endpoint, request)
            data = await self._answer(endpoint, ask, caller)
            partial = request.headers.get("hx-request") == "true"
            return self._html(
                page.template,
                data=data,
                ask=ask,
                path=request.url.path,
                api=f"{API}{request.url.path if page.path != '/' else endpoint.path}",
                partial=partial,
                **self._frame(caller, page.place, partial=partial),
            )

        return answer

    def _action(self, action: Action) -> _Handler:
        endpoint = ENDPOINTS[action.endpoint]

        async def answer(request: Request) -> Response:
            caller = await self._caller(request)
            access.require_same_origin(request.headers)
            fields = await _fields(request)
            access.require_token_of_session(caller, _take_token(request, fields))
            access.require_role(caller, endpoint.role)
            ask = ask_of_fields(endpoint.ask, fields, request.path_params)
            told = await self._answer(endpoint, ask, caller)
            if caller.session is not None:
                caller.session.notice = getattr(told, "told", "")
            then = action.then.format_map(msgspec.structs.asdict(ask))
            return RedirectResponse(_back(request) or then, HTTPStatus.SEE_OTHER)

        return answer

    async def _answer(self, endpoint: Endpoint, ask: Struct, caller: Caller) -> Struct:
        desk = msgspec.structs.replace(self._desk, actor=caller.name)
        told: Struct = await self._in_thread(endpoint.handler, desk, ask)
        return told

    async def _events(self, request: Request) -> Response:
        caller = await self._caller(request)
        session = caller.session
        ends = time.monotonic() + 3600.0  # a program's token may be revoked: it comes again
        holds = (lambda: time.monotonic() < ends) if session is None else partial(self._sessions.is_open, session)
        headers = {"X-Accel-Buffering": "no"}
        events = self._broadcast.stream(holds, caller.name)
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def _asset(self, request: Request) -> Response:
        found = assets.load().find(request.path_params["version"], request.path_params["name"])
        if found is None:
            msg = "there is no such file"
            raise NotFoundError(msg)
        zipped = "gzip" in request.headers.get("accept-encoding", "")
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
        if zipped:
            headers["Content-Encoding"] = "gzip"
        return Response(found.gzipped if zipped else found.body, media_type=found.media_type, headers=headers)

    async def _health(self, request: Request) -> Response:
        del request
        return Response(b"ok\n", media_type="text/plain")

    async def _openapi(self, request: Request) -> Response:
        del request
        return Response(self._document, media_type="application/json")

    async def _failed(self, request: Request, error: Exception) -> Response:
        told = _as_ours(error)
        status = status_of(told)
        if request.url.path.startswith(("/api/", "/events", "/healthz", assets.PREFIX)):
            body = msgspec.json.encode(problem(told))
            return Response(body, status, media_type="application/problem+json")
        session = request.scope.get(SESSION)
        if session is None:
            if isinstance(told, UnauthenticatedError) and request.method == "GET":
                return RedirectResponse("/login", HTTPStatus.SEE_OTHER)
            return self._html("login.html", status, problem=f"{told.what}: {told.hint}" if told.hint else told.what)
        caller = Caller(session.role, "", session)
        return self._html("error.html", status, error=problem(told), partial=False, **self._frame(caller, ""))

    async def _broken(self, request: Request, error: Exception) -> Response:
        """Answer for a mistake of ours; what it was is told to whoever runs the console, not to who asks."""
        _LOG.error("%s %s", request.method, printable(request.url.path), exc_info=error)
        body = Problem("Internal Server Error", 500, "the console made a mistake", "its log tells which")
        return Response(msgspec.json.encode(body), 500, media_type="application/problem+json")

    def _frame(self, caller: Caller, place: str, *, partial: bool = False) -> dict[str, Any]:
        """Return what the frame of a page tells; a part of a page has none, and leaves the notice to the next one."""
        session = caller.session
        return {
            "page": place,
            "role": caller.role.value,
            "csrf": session.csrf if session else "",
            "may_act": caller.role.permits(Role.OPERATOR),
            "notice": session.take_notice() if session and not partial else "",
        }

    def _html(self, template: str, status: HTTPStatus = HTTPStatus.OK, **context: Any) -> Response:
        return Response(self._pages.render(template, **context), status, media_type="text/html")

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await anyio.to_thread.run_sync(partial(work, *arguments), limiter=self._limiter)


def _asked(endpoint: Endpoint, request: Request) -> Struct:
    return ask_of_fields(endpoint.ask, request.query_params.multi_items(), request.path_params)


def _back(request: Request) -> str:
    """Return the list that the form was on, so that its reader goes on there; ``""`` when it was on none."""
    try:
        came = urlsplit(request.headers.get("referer", ""))
    except ValueError:  # brackets around what is no address
        return ""
    if came.netloc != request.headers["host"] or came.path not in _LISTS:
        return ""
    return f"{came.path}?{came.query}" if came.query else came.path


async def _fields(request: Request) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            (await request.body()).decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="replace"
        )
    except ValueError as error:
        msg = f"the form cannot be read: {error}"
        raise UsageError(msg) from error


def _take_token(request: Request, fields: list[tuple[str, str]]) -> str:
    """Take the synchroniser token out of a form, or from the header that scripts send."""
    token = request.headers.get(CSRF_HEADER) or next((value for name, value in fields if name == CSRF_FIELD), "")
    fields[:] = [(name, value) for name, value in fields if name != CSRF_FIELD]
    return token


def _json(answer: Struct) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")


def _as_ours(error: Exception) -> PratiqueError:
    match error:
        case PratiqueError():
            return error
        case BodyError():
            return _FrameworkError(error.status)
        case HTTPException():
            return _FrameworkError(HTTPStatus(error.status_code))
        case _:
            raise error


class _FrameworkError(RefusedError):
    """An error of the framework."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.description.lower().rstrip(".") or status.phrase.lower())
        self.status = status  # type: ignore[misc]  # its own, not its class's
