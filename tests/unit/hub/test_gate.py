import asyncio
from http import HTTPStatus
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from pratique.hub.gate import MAX_BODY_BYTES, MAX_UNDER_WAY, SESSION, Gate, Names, TooLargeError
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
    return int(sent[0]["status"])


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
        gate, _ = _gate(behind)
        async with asyncio.TaskGroup() as tasks:
            waiting = [tasks.create_task(_ask(gate)) for _ in range(MAX_UNDER_WAY)]
            await behind.full.wait()
            assert await _ask(gate) == HTTPStatus.SERVICE_UNAVAILABLE
            behind.go.set()
        assert {task.result() for task in waiting} == {200}
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
