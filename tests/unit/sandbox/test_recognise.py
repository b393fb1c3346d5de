"""What a conversation is taken for."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.model import Service
from pratique.sandbox.sinkhole.recognise import greeting, recognise, stratum_method
from pratique.sandbox.sinkhole.services import stratum_answer


@pytest.mark.parametrize(
    ("first", "port", "service"),
    [
        (b"\x16\x03\x01\x02\0\x01", 8080, Service.TLS),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 4444, Service.HTTP),
        (b"PROPFIND /x HTTP/1.1\r\n", 80, Service.HTTP),
        (b"POST /a-path-whose-line-is-not-whole", 80, Service.HTTP),
        (b"EHLO me\r\n", 80, Service.SMTP),
        (b"", 25, Service.SMTP),
        (b"", 80, Service.TCP),
        (b'{"id":1,"method":"mining.subscribe","params":[]}\n', 443, Service.STRATUM),
        (b'{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"4x"}}\n', 80, Service.STRATUM),
        (b'{"id":1,"jsonrpc":"2.0","method":"eth_submitLogin"}\n', 80, Service.STRATUM),
        (b'{"method":"getUser"}\n', 80, Service.TCP),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 80, Service.TCP),
        (b"\0\x1d\0\7\1\0\0\1\0\0\0\0\0\0\1a\7example\0\0\1\0\1", 53, Service.DNS),
        (b"\0\x1d\0\7\1\0\0\1\0\0\0\0\0\0\1a\7example\0\0\1\0\1", 54, Service.TCP),
        (b"uid=0(root) gid=0(root)\n", 4444, Service.TCP),
    ],
)
def test_service_is_told_by_the_first_bytes_then_by_the_port(first: bytes, port: int, service: Service) -> None:
    assert recognise(first, port) is service


def test_only_who_speaks_first_greets() -> None:
    assert greeting(22).startswith(b"SSH-2.0-")
    assert greeting(25).startswith(b"220 ")
    assert greeting(443) == b""


@given(st.binary(max_size=400), st.integers(0, 65535))
def test_no_bytes_break_it(first: bytes, port: int) -> None:
    recognise(first, port)


@given(st.recursive(st.none() | st.integers() | st.text() | st.floats(allow_nan=False), st.lists))
def test_every_id_of_a_request_gets_an_answer(number: object) -> None:
    line = json.dumps({"id": number, "method": "mining.subscribe"}).encode()
    method = stratum_method(line)
    if method:
        assert msgspec.json.decode(stratum_answer(line, method))["error"] is None
