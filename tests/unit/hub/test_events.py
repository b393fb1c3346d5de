import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pratique.hub.desk import Desk, Memory
from pratique.hub.events import MAX_LISTENERS, MAX_OF_ONE, Broadcast
from pratique.hub.problems import TooManyError
from pratique.store import Store


@pytest.fixture
def broadcast(tmp_path: Path) -> Broadcast:
    store = Store.open(tmp_path / "pratique.db")
    return Broadcast(Desk(store, tmp_path / "policy.yaml", tmp_path, Memory()), lambda _kind, _item: "")


def _stream(broadcast: Broadcast, owner: str) -> AsyncIterator[bytes]:
    return broadcast.stream(lambda: True, owner)


async def _begun(stream: AsyncIterator[bytes]) -> bool:
    return await anext(stream, b"") != b""


def test_pages_that_are_opened_at_the_same_time_get_no_more_room_than_one_by_one(broadcast: Broadcast) -> None:
    async def story() -> None:
        owners = [f"session {number}" for number in range(MAX_LISTENERS + 10)]
        streams = [_stream(broadcast, owner) for owner in owners]  # all asked for before any has begun
        assert [await _begun(stream) for stream in streams] == [True] * MAX_LISTENERS + [False] * 10
        with pytest.raises(TooManyError):
            _stream(broadcast, "one more")

    asyncio.run(story())


def test_one_session_leaves_others_their_streams(broadcast: Broadcast) -> None:
    async def story() -> None:
        streams = [_stream(broadcast, "greedy") for _ in range(MAX_OF_ONE)]
        assert all([await _begun(stream) for stream in streams])
        with pytest.raises(TooManyError):
            _stream(broadcast, "greedy")
        assert await _begun(_stream(broadcast, "other"))

    asyncio.run(story())


def test_streams_end_with_the_console(broadcast: Broadcast) -> None:
    async def story() -> None:
        stream = _stream(broadcast, "session")
        assert await _begun(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        broadcast.end()
        async with asyncio.timeout(5):
            assert await waiting == b""
            assert [event async for event in stream] == []

    asyncio.run(story())
