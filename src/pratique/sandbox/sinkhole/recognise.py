"""What a conversation is, by its first bytes, and what an address would be expected to say first. Pure."""

import re
from typing import Final

import msgspec

from pratique.model import Service
from pratique.sandbox.sinkhole import dns

_HTTP: Final = re.compile(rb"[A-Z]{3,16} [^ \r\n]{1,8192} HTTP/1\.[01]\r?\n|(?:GET|POST|PUT|HEAD|CONNECT) ")
_SMTP: Final = re.compile(rb"(?:EHLO|HELO|LHLO|MAIL FROM:|NOOP|QUIT)\b", re.IGNORECASE)
_STRATUM: Final = re.compile(r"mining\.[a-z_.]+|login|submit|job|getjob|keepalived|eth_[A-Za-z]+")
_TLS_HELLO: Final = b"\x16\x03"
_MOST_METHOD: Final = 64
SMTP_PORTS: Final = frozenset({25, 587, 2525})
_GREETINGS: Final = {
    21: b"220 (vsFTPd 3.0.5)\r\n",
    22: b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
    110: b"+OK ready\r\n",
    143: b"* OK IMAP4rev1 ready\r\n",
    6667: b":irc.local NOTICE * :*** Looking up your hostname\r\n",
}
SMTP_GREETING: Final = b"220 mail.local ESMTP Postfix\r\n"


def recognise(first: bytes, port: int) -> Service:
    """Return what a TCP conversation is."""
    if first.startswith(_TLS_HELLO):
        return Service.TLS
    if _SMTP.match(first) or (not first and port in SMTP_PORTS):
        return Service.SMTP
    if _HTTP.match(first):
        return Service.HTTP
    if stratum_method(first):
        return Service.STRATUM
    if port == 53 and dns.parse(first[2:]) is not None:
        return Service.DNS
    return Service.TCP


def greeting(port: int) -> bytes:
    """Return what a server at this port says when its client is silent; empty where it would wait as well."""
    return SMTP_GREETING if port in SMTP_PORTS else _GREETINGS.get(port, b"")


def stratum_method(line: bytes) -> str:
    """Return the method of a Stratum request, a JSON object on a line; nothing when it is none."""
    line = line.partition(b"\n")[0].strip()
    if not line.startswith(b"{"):
        return ""
    try:
        document = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return ""
    method = document.get("method") if isinstance(document, dict) else None
    if not isinstance(method, str) or len(method) > _MOST_METHOD or not _STRATUM.fullmatch(method):
        return ""
    return method
