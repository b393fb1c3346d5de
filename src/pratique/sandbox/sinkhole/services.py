"""What the sinkhole answers: HTTP, Stratum, SMTP. Each talks until the other side has had enough."""

import re
import struct
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from pratique.sandbox.sinkhole.recognise import SMTP_GREETING, stratum_method
from pratique.sandbox.sinkhole.stream import Stream
from pratique.text import printable

_MOST_HEAD: Final = 32_768
_MOST_REQUESTS: Final = 200
_LENGTH: Final = re.compile(rb"\r?\ncontent-length:[ \t]*(\d{1,12})[ \t]*\r?\n", re.IGNORECASE)
_HOST: Final = re.compile(rb"\r?\nhost:[ \t]*([^\r\n]{1,256})", re.IGNORECASE)
_EXPECTS: Final = re.compile(rb"\r?\nexpect:[ \t]*100-continue", re.IGNORECASE)
_DOWNLOADER: Final = re.compile(rb"\r?\nuser-agent:[ \t]*(?:curl|wget|busybox|python|go-http)", re.IGNORECASE)
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_SCRIPT: Final = b"#!/bin/sh\nexit 0\n"
_PAGE: Final = b"<!doctype html><html><head><title>Welcome</title></head><body><h1>It works</h1></body></html>\n"
_CODE: Final = b"\xb8\x3c\0\0\0\x31\xff\x0f\x05"
_BASE: Final = 0x400000
_HEADERS: Final = 64 + 56
_PROGRAM: Final = (
    b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    + struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, _HEADERS + len(_CODE), _HEADERS + len(_CODE), 4096)
    + _CODE
)
"""A program for x86-64 that does nothing but end, ``exit(0)``: elf(5), one segment with the code behind the headers."""


class Said(Struct, frozen=True):
    """Something that the other side said and that is worth an event."""

    request: str
    payload: bytes
    name: str = ""


Tell = Callable[[Said], None]


async def http(stream: Stream, tell: Tell) -> None:
    """Answer requests, each with 200 and a body that fits its path: RFC 9112."""
    buffer = b""
    for _ in range(_MOST_REQUESTS):
        while not (end := _HEAD_END.search(buffer)):
            data = await stream.read()
            if not data or len(buffer) > _MOST_HEAD:
                if buffer:
                    tell(_said(buffer))
                return
            buffer += data
        head, buffer = buffer[: end.end()], buffer[end.end() :]
        if _EXPECTS.search(head):
            await stream.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = _LENGTH.search(head)
        left = int(length[1]) if length else 0
        if left and not buffer:
            buffer = await stream.read()
        tell(_said(head + buffer[:left]))
        while left > len(buffer):
            left -= len(buffer)
            buffer = await stream.read()
            if not buffer:
                return
        buffer = buffer[left:]
        await stream.write(http_answer(head))


def http_answer(head: bytes) -> bytes:
    """Return the answer to a request's head."""
    method, _, rest = head.partition(b" ")
    path = rest.split(b" ", 1)[0].split(b"\r", 1)[0].partition(b"?")[0]
    last = path.rpartition(b"/")[2]
    suffix = last.rpartition(b".")[2].lower() if b"." in last else b""
    if suffix in {b"sh", b"bash"}:
        kind, body = b"text/x-shellscript", _SCRIPT
    elif suffix == b"json":
        kind, body = b"application/json", b"{}"
    elif suffix in {b"txt", b"md", b"csv", b"conf"}:
        kind, body = b"text/plain", b"ok\n"
    elif last and suffix not in {b"html", b"htm", b"php"} and _DOWNLOADER.search(head):
        kind, body = b"application/octet-stream", _PROGRAM
    else:
        kind, body = b"text/html", _PAGE
    answer = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body))
    return answer if method == b"HEAD" else answer + body


def _said(text: bytes) -> Said:
    line = text.partition(b"\n")[0].strip()
    host = _HOST.search(text)
    name = printable(host[1].decode("latin-1").strip().lower()) if host else ""
    name = re.sub(r":\d+$", "", name)
    return Said(printable(line.decode("latin-1"))[:512], text, name)


async def stratum(stream: Stream, tell: Tell) -> None:
    """Be a mining pool that takes everybody: Stratum V1, and the dialect of Monero's pools."""
    buffer = b""
    for _ in range(_MOST_REQUESTS):
        while b"\n" not in buffer:
            data = await stream.read()
            if not data or len(buffer) > _MOST_HEAD:
                return
            buffer += data
        line, _, buffer = buffer.partition(b"\n")
        method = stratum_method(line)
        tell(Said(method, line))
        if not method:
            return
        await stream.write(stratum_answer(line, method))


def stratum_answer(line: bytes, method: str) -> bytes:
    """Return what a pool answers to a request."""
    number = msgspec.json.decode(line).get("id")
    result: object = True
    if method == "mining.subscribe":
        result = [[["mining.set_difficulty", "1"], ["mining.notify", "1"]], "08000002", 4]
    elif method == "login":
        job = {"blob": "0" * 152, "job_id": "1", "target": "b88d0600", "height": 3000000, "seed_hash": "0" * 64}
        result = {"id": "1", "job": {**job, "algo": "rx/0"}, "status": "OK"}
    elif method in {"submit", "keepalived"}:
        result = {"status": "OK"}
    return msgspec.json.encode({"id": number, "jsonrpc": "2.0", "error": None, "result": result}) + b"\n"


async def smtp(stream: Stream, tell: Tell, *, greeted: bool) -> None:
    """Take mail: RFC 5321. One event for each recipient, one for the beginning of the text."""
    if not greeted:
        await stream.write(SMTP_GREETING)
    buffer, in_text, told_text = b"", False, False
    for _ in range(_MOST_REQUESTS * 10):
        while b"\n" not in buffer:
            data = await stream.read()
            if not data or len(buffer) > _MOST_HEAD:
                return
            buffer += data
        line, _, buffer = buffer.partition(b"\n")
        line = line.strip(b"\r")
        if in_text:
            if not told_text:
                tell(Said("DATA", line + b"\n" + buffer))
            told_text, in_text = True, line != b"."
            if not in_text:
                await stream.write(b"250 2.0.0 Ok: queued\r\n")
            continue
        if line[:8].upper() == b"RCPT TO:":
            tell(Said(printable(line[8:].strip(b" <>").decode("latin-1"))[:256], line))
        answer, in_text = smtp_answer(line)
        await stream.write(answer)
        if answer.startswith(b"221"):
            return


def smtp_answer(line: bytes) -> tuple[bytes, bool]:
    """Return what a mail server answers to a command, and whether the text follows."""
    verb = line[:4].upper()
    if verb == b"EHLO":
        return b"250-mail.local\r\n250-SIZE 20480000\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n", False
    if verb == b"DATA":
        return b"354 End data with <CR><LF>.<CR><LF>\r\n", True
    if verb == b"QUIT":
        return b"221 2.0.0 Bye\r\n", False
    if verb == b"AUTH":
        return b"235 2.7.0 Authentication successful\r\n", False
    return b"250 2.0.0 Ok\r\n", False
