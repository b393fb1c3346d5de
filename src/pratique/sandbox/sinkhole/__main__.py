"""``python -m pratique.sandbox.sinkhole EVENTS ENGINE``: two descriptors. Ends with its input."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import msgspec

from pratique.sandbox.kernel import CLONE_NEWNET, unshare
from pratique.sandbox.sinkhole.authority import Authority
from pratique.sandbox.sinkhole.events import LENGTH, Begin, Teller
from pratique.sandbox.sinkhole.server import Server

_FORWARDING = (Path("/proc/sys/net/ipv4/ip_forward"), Path("/proc/sys/net/ipv6/conf/all/forwarding"))


async def _serve(begin: Begin, events: int, engine: socket.socket) -> None:
    teller = Teller(events, begin.max_events)
    server = Server(Authority.load(begin.authority), teller)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, ended.set)
    async with server.listening(engine):
        teller.ready()
        await ended.wait()
    teller.close()


def main() -> None:
    """Listen until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    events, engine = int(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))
    length = int.from_bytes(os.read(0, LENGTH), "big")
    data = b""
    while len(data) < length and (part := os.read(0, length - len(data))):
        data += part
    unshare(CLONE_NEWNET)
    for switch in filter(Path.exists, _FORWARDING):
        switch.write_text("0\n")  # a new namespace has the host's setting
    asyncio.run(_serve(msgspec.msgpack.decode(data, type=Begin), events, engine))


if __name__ == "__main__":
    main()
