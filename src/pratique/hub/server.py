"""Serves the console: one process, one worker, until it is told to stop or whoever started it is gone."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from pratique.errors import HostError
from pratique.hub.app import Console, create_app
from pratique.hub.desk import Desk
from pratique.hub.gate import Names
from pratique.pipelines.console import Address

_BACKLOG: Final = 256
_BACKPRESSURE: Final = 512
"""Connections at the same time; more wait until one ends. Who is not logged in holds one for seconds at most."""
_NICENESS: Final = 5
"""Beside an agent: whatever browsers ask for, guard and sensor come first."""
_HEAD_MS: Final = 5000
"""How long a client may take for the head of a request."""
_MAX_BUFFER: Final = 64 << 10
_END_WITHIN_S: Final = 3.0


def names_of(address: Address, others: str) -> Names:
    """Return the names by which browsers may ask.

    :param others: names separated by commas
    """
    more = {name.strip().lower() for name in others.split(",") if name.strip()}
    own = f"[{address.host}]" if ":" in address.host else address.host
    return Names(frozenset({"127.0.0.1", "localhost", "[::1]", own, *more}))


def serve(desk: Desk, address: Address, names: Names, *, with_parent: bool) -> None:
    """Serve until SIGINT or SIGTERM.

    :param with_parent: end as well when standard input is closed: whoever started this is gone
    :raises HostError: when the port is taken
    """
    require_free(address)
    stopping = asyncio.Event()
    app = create_app(Console(names=names, cookie=f"pratique_{address.port}"), desk, stopping)
    asyncio.run(_serve(app, address, stopping, with_parent=with_parent))


async def _serve(app: object, address: Address, stopping: asyncio.Event, *, with_parent: bool) -> None:
    server = Server(
        app,
        address.host,
        address.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_HEAD_MS, max_buffer_size=_MAX_BUFFER),
        websockets=False,
        backlog=_BACKLOG,
        backpressure=_BACKPRESSURE,
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if not stopping.is_set():
            stopping.set()
            server.stop()  # type: ignore[no-untyped-call]  # granian leaves it out
            # It waits for every connection, and a browser that takes nothing would keep it, and the port, for ever.
            loop.call_later(_END_WITHIN_S, os._exit, 0)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    if with_parent:
        os.nice(_NICENESS)
        server.on_startup(_announce)
        loop.add_reader(sys.stdin.fileno(), _on_input, loop, stop)
    await server.serve()


def _announce() -> None:
    print("serving", flush=True)  # noqa: T201  # whoever started this waits for it


def _on_input(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        stop()


def require_free(address: Address) -> None:
    """Check that nobody listens there: the server would share the port with another process of the same user.

    :raises HostError: when the port is taken, or the address is not this host's
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that ended take no port
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            msg = f"the console cannot be served at {address.host}:{address.port}: {error.strerror}"
            raise HostError(msg, hint="choose another port with PRATIQUE_CONSOLE=127.0.0.1:PORT, or 'off'") from error
