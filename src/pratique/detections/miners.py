"""How miners give themselves away: their protocol, the names they look up, their programs. Pure.

Bytes come from containers: every parser here takes any bytes, reads each once and needs no more memory than they do.
"""

import re
from typing import Final

from pratique.detections import pools

MAX_PAYLOAD: Final = 512
"""Bytes of a payload that are looked at."""

# Stratum is JSON-RPC (https://en.bitcoin.it/wiki/Stratum_mining_protocol; XMRig's dialect: doc/STRATUM.md there), but
# the sensor hands over only the beginning of the first segment, which is rarely a whole document: so patterns.
_METHOD: Final = re.compile(rb'"method"\s*:\s*"(mining\.[a-z_.]{1,40}|eth_submitLogin|eth_submitWork|login)"')
_MINER_LOGIN: Final = re.compile(
    rb'"(?:agent|algo|rigid)"\s*:|"login"\s*:\s*"[1-9A-HJ-NP-Za-km-z]{40,}'  # a wallet address: base58 and long
)
_SCHEME: Final = re.compile(r"(?:^|=)(?:stratum\d?|daemon)\+(?:tcp|ssl|tls|udp|http)s?://", re.IGNORECASE)
_OPTION: Final = re.compile(
    r"--(?:donate-level|randomx-[a-z-]+|rig-id|nicehash|cpu-max-threads-hint)(?:=.*)?|--(?:algo|coin)=(?:rx/|cn/|monero).*"
)
_ENDPOINT: Final = re.compile(r"(?:[a-z0-9+]{1,20}://)?([a-z0-9.-]{1,253}):(\d{1,5})/?", re.IGNORECASE)


def stratum_method(payload: bytes) -> str:
    """Return the method of a Stratum greeting, or ``""``."""
    start = payload[:MAX_PAYLOAD]
    method = _METHOD.search(start)
    if not start.lstrip().startswith(b"{") or method is None:
        return ""
    if method[1] == b"login" and not _MINER_LOGIN.search(start):
        return ""  # JSON-RPC of an honest service has logins too
    return method[1].decode("ascii")


def queried_name(payload: bytes) -> str:
    """Return the name that a DNS query asks for, in lower case, or ``""`` when it is not a query of one name.

    RFC 1035 section 4.1; a name in a question is never compressed there, so a pointer ends the reading.
    """
    if len(payload) < 17 or payload[2] & 0xF8 or payload[4:6] != b"\x00\x01":  # QR and OPCODE 0, QDCOUNT 1
        return ""
    labels: list[str] = []
    position = 12
    while position < len(payload) and len(labels) <= 127:
        length = payload[position]
        if length == 0:
            return ".".join(labels)
        label = payload[position + 1 : position + 1 + length]
        if length > 63 or len(label) < length:
            # The sensor cut the payload here: what came before is still the beginning of the name, not its end.
            return ""
        labels.append("".join(chr(byte) if 0x21 <= byte < 0x7F else "?" for byte in label).lower())
        position += 1 + length
    return ""


def pool_of(name: str) -> str:
    """Return the pool's domain that a host name is or lies below, or ``""``."""
    labels = name.lower().rstrip(".").split(".")
    for start in range(len(labels) - 1):
        domain = ".".join(labels[start:])
        if domain in pools.DOMAINS:
            return domain
    return ""


def miner_sign(program: str, arguments: tuple[str, ...]) -> str:
    """Return what tells that a command line is a miner's, or ``""``.

    :param program: path of the executable
    :param arguments: with argument 0
    """
    for name in (program, *arguments[:1]):
        base = name.rsplit("/", 1)[-1].lower()
        if base in pools.PROGRAMS:
            return base
    for argument in arguments[1:]:
        if _SCHEME.search(argument) or _OPTION.fullmatch(argument):
            return argument[:200]
        endpoint = _ENDPOINT.fullmatch(argument)
        if endpoint and pool_of(endpoint[1]):
            return argument[:200]
    return ""
