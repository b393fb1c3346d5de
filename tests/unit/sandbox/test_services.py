"""What the sinkhole answers."""

import asyncio
import ssl
import subprocess
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.sandbox.sinkhole import services
from pratique.sandbox.sinkhole.authority import Authority
from pratique.sandbox.sinkhole.services import Said
from pratique.sandbox.sinkhole.stream import Plain, Secure, Stream


class Script:
    """A client that sends what it was given, piece by piece, and keeps what it is answered."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)
        self.answers = b""

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    async def write(self, data: bytes) -> None:
        self.answers += data


def said(
    serve: Callable[[Stream, services.Tell], Coroutine[Any, Any, None]], *pieces: bytes
) -> tuple[list[Said], bytes]:
    told: list[Said] = []
    client = Script(*pieces)
    asyncio.run(serve(client, told.append))
    return told, client.answers


def test_requests_on_one_connection_are_each_told_and_answered() -> None:
    told, answers = said(
        services.http,
        b"GET /a.sh HTTP/1.1\r\nHost: evil.example:8080\r\n\r\nPOST /gate HTTP/1.1\r\nContent-Le",
        b"ngth: 9\r\nHost: EVIL.example\r\n\r\nkey=",
        b"valueGET /c.json HTTP/1.1\r\n\r\n",
    )
    assert [(each.request, each.name) for each in told] == [
        ("GET /a.sh HTTP/1.1", "evil.example"),
        ("POST /gate HTTP/1.1", "evil.example"),
        ("GET /c.json HTTP/1.1", ""),
    ]
    assert told[1].payload.endswith(b"\r\n\r\nkey=")
    assert answers.count(b"HTTP/1.1 200 OK") == 3
    assert b"#!/bin/sh\nexit 0\n" in answers
    assert answers.endswith(b"\r\n\r\n{}")


def test_body_fits_the_path_and_the_client() -> None:
    curl = b"GET /xmrig HTTP/1.1\r\nUser-Agent: curl/8\r\n\r\n"
    assert b"\x7fELF" in services.http_answer(curl)
    assert b"\x7fELF" not in services.http_answer(b"GET /login HTTP/1.1\r\nUser-Agent: Mozilla\r\n\r\n")
    assert services.http_answer(b"HEAD / HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n")


def test_program_that_is_served_does_nothing_but_end(tmp_path: Path) -> None:
    body = services.http_answer(b"GET /x HTTP/1.1\r\nUser-Agent: curl\r\n\r\n").partition(b"\r\n\r\n")[2]
    program = tmp_path / "program"
    program.write_bytes(body)
    program.chmod(0o755)
    import platform

    if platform.machine() == "x86_64":
        assert subprocess.run([program], check=False).returncode == 0
    assert len(body) < 256


def test_who_waits_to_be_told_to_go_on_is_told() -> None:
    _, answers = said(services.http, b"PUT /f HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", b"ok")
    assert answers.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


def test_request_without_end_is_told_once() -> None:
    told, answers = said(services.http, *[b"GET / HTTP/1.1\r\n" + b"x" * 10_000] * 5)
    assert len(told) == 1
    assert answers == b""


def test_miner_logs_in_and_submits() -> None:
    told, answers = said(
        services.stratum,
        b'{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"wallet"}}\n{"id":2,"met',
        b'hod":"submit","params":{}}\n',
    )
    assert [each.request for each in told] == ["login", "submit"]
    login, submit = (msgspec.json.decode(line) for line in answers.splitlines())
    assert (login["id"], login["result"]["status"]) == (1, "OK")
    assert login["result"]["job"]["job_id"] == "1"
    assert submit["result"] == {"status": "OK"}


def test_mail_is_taken_and_its_recipients_told() -> None:
    async def serve(stream: Stream, tell: services.Tell) -> None:
        await services.smtp(stream, tell, greeted=False)

    told, answers = said(
        serve,
        b"EHLO me\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n",
        b"RCPT TO:<e@f>\r\nDATA\r\nSubject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n",
    )
    assert [each.request for each in told] == ["c@d", "e@f", "DATA"]
    assert told[2].payload.startswith(b"Subject: x")
    assert answers.startswith(b"220 ")
    assert answers.endswith(b"221 2.0.0 Bye\r\n")


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=300), max_size=6))
def test_nothing_that_is_sent_breaks_a_service(pieces: list[bytes]) -> None:
    async def smtp(stream: Stream, tell: services.Tell) -> None:
        await services.smtp(stream, tell, greeted=True)

    for serve in (services.http, services.stratum, smtp):
        told, _ = said(serve, *pieces)
        assert all(each.request.isprintable() and each.name.isprintable() for each in told)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.load(Authority.create().dump())


def test_whoever_trusts_the_authority_gets_a_certificate_for_the_name_it_asks_for(authority: Authority) -> None:
    async def talk() -> tuple[str, bytes]:
        names: list[str] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            secure = Secure(Plain(reader, writer), authority, "127.0.0.1")
            assert await secure.accept()
            names.append(secure.name)
            await secure.write(b"you said " + await secure.read())
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        trusting = ssl.create_default_context(cadata=authority.certificate.decode())
        port = server.sockets[0].getsockname()[1]
        async with server:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=trusting, server_hostname="any.name.example"
            )
            writer.write(b"hello")
            answer = await reader.read(100)
            writer.close()
        return names[0], answer

    assert asyncio.run(talk()) == ("any.name.example", b"you said hello")


def test_broken_hello_is_no_handshake(authority: Authority) -> None:
    async def talk() -> bool:
        accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.set_result(await Secure(Plain(reader, writer), authority, "127.0.0.1").accept())
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
            writer.write(b"\x16\x03\x01\0\x05nonsense")
            writer.write_eof()
            result = await accepted
            writer.close()
        return result

    assert not asyncio.run(talk())
