import asyncio
from http import HTTPStatus
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from pratique.hub import gate as gates
from pratique.hub.gate import MAX_BODY_BYTES, MAX_UNDER_WAY, SESSION, Gate, Names, TooLargeError, TooSlowError
from pratique.hub.sessions import Bucket, Role, Sessions

NAMES = Names(frozenset({"127.0.0.1", "[::1]", "localhost"}))


def _frozen() -> float:
    return 0.0


class Behind:
    """The application behind the gate: answers when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.full = asyncio.Event()
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        if len(self.scopes) == MAX_UNDER_WAY:
            self.full.set()
        await self.go.wait()
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def _gate(behind: Behind, *, burst: int = 1000) -> tuple[Gate, Sessions]:
    sessions = Sessions(_frozen, lambda: Bucket(5, 0.0, _frozen))
    return Gate(behind, NAMES, sessions, "c", Bucket(burst, 0.0, _frozen)), sessions


async def _ask(gate: Gate, *headers: tuple[bytes, bytes], path: str = "/", body: tuple[Message, ...] = ()) -> int:
    return int((await _answer(gate, *headers, path=path, body=body))["status"])


async def _headers_for(gate: Gate, *headers: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    return list((await _answer(gate, *headers))["headers"])


async def _answer(
    gate: Gate, *headers: tuple[bytes, bytes], path: str = "/", body: tuple[Message, ...] = ()
) -> Message:
    sent: list[Message] = []
    coming = list(body) or [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
    }
    scope["headers"] = (
        list(headers) if any(name == b"host" for name, _ in headers) else [(b"host", b"localhost"), *headers]
    )
    await gate(scope, receive, send)
    return sent[0]


def test_a_flood_is_refused_and_a_session_keeps_its_share() -> None:
    async def story() -> None:
        behind = Behind()
        behind.go.set()
        gate, sessions = _gate(behind, burst=3)
        cookie = (b"cookie", f"c={sessions.open(Role.VIEWER).cookie}".encode())
        flood = [await _ask(gate) for _ in range(10)]
        assert flood == [200] * 3 + [429] * 7
        assert [await _ask(gate, cookie) for _ in range(6)] == [200] * 5 + [429]
        assert behind.scopes[-1][SESSION] is not None
        assert behind.scopes[0][SESSION] is None

    asyncio.run(story())


def test_so_many_are_under_way_at_a_time_and_no_more() -> None:
    async def story() -> None:
        behind = Behind()
        gate, sessions = _gate(behind)
        cookie = (b"cookie", f"c={sessions.open(Role.VIEWER).cookie}".encode())
        async with asyncio.TaskGroup() as tasks:
            waiting = [tasks.create_task(_ask(gate)) for _ in range(MAX_UNDER_WAY)]
            await behind.full.wait()
            assert await _ask(gate) == HTTPStatus.SERVICE_UNAVAILABLE
            known = tasks.create_task(_ask(gate, cookie))  # a session has places of its own
            behind.go.set()
        assert {task.result() for task in [*waiting, known]} == {200}
        assert await _ask(gate) == 200

    asyncio.run(story())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"host", b"localhost")], 200),
        ([(b"host", b"[::1]:8470")], 200),
        ([(b"host", b"::1")], 421),
        ([(b"host", b"localhost"), (b"host", b"evil.example")], 421),
        ([(b"host", b"localhost@evil.example")], 421),
        ([(b"host", b"localhost:80:80")], 421),
        ([(b"host", b"\xff")], 421),
        ([(b"content-length", b"1"), (b"content-length", b"2")], 413),
    ],
)
def test_heads_that_contradict_themselves_are_refused(headers: list[tuple[bytes, bytes]], status: int) -> None:
    async def story() -> int:
        behind = Behind()
        behind.go.set()
        return await _ask(_gate(behind)[0], *headers)

    assert asyncio.run(story()) == status


def test_a_body_without_a_length_ends_at_the_bound() -> None:
    async def story() -> None:
        behind = Behind()
        behind.go.set()
        piece: Message = {"type": "http.request", "body": b"a" * MAX_BODY_BYTES, "more_body": True}
        with pytest.raises(TooLargeError):
            await _ask(_gate(behind)[0], body=(piece, piece))

    asyncio.run(story())


def test_a_body_that_does_not_come_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "BODY_WITHIN_S", 0.01)

    async def story() -> None:
        behind = Behind()
        behind.go.set()
        gate, _ = _gate(behind)

        async def never() -> Message:
            await asyncio.get_running_loop().create_future()
            raise AssertionError

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/login",
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
        }
        for _ in range(MAX_UNDER_WAY + 1):
            with pytest.raises(TooSlowError):
                await gate(dict(scope), never, _nowhere)

    asyncio.run(story())


async def _nowhere(message: Message) -> None:
    raise AssertionError(message)


@pytest.mark.parametrize(
    "cookies", ["c={}", "c=other; c={}", 'x="; c={}', "\x7f=,; =; c = {} ;", 'x="' + "\\" * 60_000 + '"; c={}']
)
def test_a_session_is_found_among_cookies_of_others(cookies: str) -> None:
    async def story() -> None:
        behind = Behind()
        behind.go.set()
        gate, sessions = _gate(behind)
        cookie = sessions.open(Role.VIEWER).cookie
        await _ask(gate, (b"cookie", cookies.format(cookie).encode("latin-1")))
        assert behind.scopes[-1][SESSION] is not None

    asyncio.run(story())


def test_who_is_not_logged_in_cannot_hold_a_connection() -> None:
    async def story() -> None:
        behind = Behind()
        behind.go.set()
        gate, sessions = _gate(behind, burst=1)
        cookie = (b"cookie", f"c={sessions.open(Role.VIEWER).cookie}".encode())
        assert (b"connection", b"close") not in await _headers_for(gate, cookie)
        assert (b"connection", b"close") in await _headers_for(gate)
        assert (b"connection", b"close") in await _headers_for(gate)  # refused

    asyncio.run(story())
