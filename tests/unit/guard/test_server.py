"""The plugin's server: every question gets an answer, whatever comes over the socket."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from pratique.errors import HostError
from pratique.guard import OWN_HEADER, alive, serve
from pratique.guard.request import MAX_QUESTION
from pratique.guard.server import MAX_CONNECTIONS
from tests.unit.guard.asking import World, question


async def _send(path: Path, *chunks: bytes, answers: int = 1) -> list[tuple[int, Any]]:
    """Send bytes over one connection and return status and JSON of each answer."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        received = []
        for _ in range(answers):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length: ")[1].split("\r\n")[0])
            received.append((int(head.split()[1]), json.loads(await reader.readexactly(length))))
        return received
    finally:
        writer.close()


def _call(target: str, body: bytes = b"") -> bytes:
    return f"POST {target} HTTP/1.1\r\nHost:\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


ASK = "/AuthZPlugin.AuthZReq"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A socket in a folder that only we may write to."""
    tmp_path.chmod(0o700)
    return tmp_path / "plugin.sock"


async def _served(path: Path, *chunks: bytes, answers: int = 1) -> list[tuple[int, Any]]:
    guard = World().guard()
    async with guard, serve(guard, path):
        return await _send(path, *chunks, answers=answers)


def test_the_plugin_says_that_it_authorizes(path: Path) -> None:
    assert asyncio.run(_served(path, _call("/Plugin.Activate"))) == [(200, {"Implements": ["authz"]})]


def test_many_questions_go_over_one_connection(path: Path) -> None:
    asked = (
        _call(ASK, question("GET", "/info")),
        _call(ASK, question("GET", "/debug/vars")),
        _call("/AuthZPlugin.AuthZRes", b"not even JSON"),
        _call(ASK, b""),
    )
    answers = asyncio.run(_served(path, *asked, answers=4))
    assert [answer["Allow"] for _, answer in answers] == [True, False, True, False]
    assert answers[1][1]["Msg"].startswith("debug.denied: ")


def test_an_answer_that_allows_says_nothing_else(path: Path) -> None:
    assert asyncio.run(_served(path, _call(ASK, question("GET", "/info")))) == [(200, {"Allow": True})]


def test_a_question_in_chunks_is_read(path: Path) -> None:
    body = question("GET", "/info")
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    head = f"POST {ASK} HTTP/1.1\r\nHost:\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    assert asyncio.run(_served(path, head, chunked)) == [(200, {"Allow": True})]


@pytest.mark.parametrize("size", [MAX_QUESTION + 1, 24 << 20])
def test_a_question_too_big_to_read_is_refused_and_the_connection_lives(path: Path, size: int) -> None:
    asked = (_call(ASK, b" " * size), _call(ASK, question("GET", "/info")))
    (_, refused), (_, allowed) = asyncio.run(_served(path, *asked, answers=2))
    assert refused["Allow"] is False
    assert "larger than" in refused["Msg"]
    assert allowed["Allow"] is True


@pytest.mark.parametrize(
    "garbage", [b"\x00" * 100, b"GET\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"A" * 200_000]
)
def test_garbage_on_the_socket_ends_that_connection_alone(path: Path, garbage: bytes) -> None:
    async def story() -> None:
        guard = World().guard()
        async with guard, serve(guard, path):
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(garbage)
            writer.write_eof()
            assert b'"Allow":true' not in await reader.read()
            writer.close()
            assert await _send(path, _call(ASK, question("GET", "/info"))) == [(200, {"Allow": True})]

    asyncio.run(story())


def test_a_crowd_is_refused_and_the_agents_own_calls_go_through_it(path: Path) -> None:
    async def story() -> None:
        guard = World().guard(own_token="secret")
        async with guard, serve(guard, path):
            crowd = [await asyncio.open_unix_connection(str(path)) for _ in range(MAX_CONNECTIONS)]
            ((_, refused),) = await _send(path, _call(ASK, question("GET", "/info")))
            assert refused["Msg"].startswith("guard.busy: ")
            own = question("GET", "/info", **{OWN_HEADER: "secret"})
            assert await _send(path, _call(ASK, own)) == [(200, {"Allow": True})]
            for _, writer in crowd:
                writer.close()

    asyncio.run(story())


def test_another_call_is_not_found(path: Path) -> None:
    assert asyncio.run(_served(path, _call("/VolumeDriver.Create", b"{}")))[0][0] == 404


def test_the_socket_is_for_root_alone_and_goes_with_the_server(path: Path) -> None:
    async def story() -> None:
        guard = World().guard()
        async with guard, serve(guard, path):
            assert path.stat().st_mode & 0o777 == 0o600
            assert alive(path)

    asyncio.run(story())
    assert not path.exists()
    assert not alive(path)


def test_a_stale_socket_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(path))
    assert asyncio.run(_served(path, _call("/Plugin.Activate")))[0][0] == 200


def test_a_living_socket_is_not(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(HostError, match="another process answers"):
            asyncio.run(_served(path))
    assert path.exists()


def test_a_file_in_the_way_is_not_removed(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(HostError, match="not a socket"):
        asyncio.run(_served(path))
    assert path.read_text() == "mine"


def test_a_folder_in_which_others_may_write_is_refused(path: Path) -> None:
    """A20."""
    path.parent.chmod(0o777)
    with pytest.raises(HostError, match="others may write"):
        asyncio.run(_served(path))
