"""Keeps the console's process running beside the agent: what browsers ask of it takes nothing from guard and sensor."""

import asyncio
import ipaddress
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from pratique.errors import HostError, StoreError, UsageError
from pratique.pipelines.account import Account
from pratique.store import Store

NO_CONSOLE: Final = "off"
"""The option's value that says that there is to be none."""
TICKET_S: Final = 600.0
"""How long a link that logs in is good."""
_LISTEN: Final = "0A"
"""How the kernel's table of sockets writes that one listens."""
_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 60.0
_GOOD_AFTER_S: Final = 30.0
"""A process that ran so long begins anew with the shortest wait."""
_END_WITHIN_S: Final = 5.0
_MAX_LAST_WORDS: Final = 4096


class Address(Struct, frozen=True):
    """Where a console listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The console's first page."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def private(self) -> bool:
        """Whether only this host can reach it."""
        return ipaddress.ip_address(self.host).is_loopback


def parse_address(text: str) -> Address:
    """Return what an option says: ``127.0.0.1:8470``, ``[::1]:8470``.

    :raises UsageError: when it is no address and port
    """
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        number = int(port)
    except ValueError:
        number, address = 0, ipaddress.ip_address(0)
    if not 0 < number < 65536:
        msg = f"console {text!r} is not an address and a port"
        raise UsageError(msg, hint="write 127.0.0.1:8470, [::1]:8470, or off")
    return Address(str(address), number)


class ConsoleSettings(Struct, frozen=True):
    """Where the console is, and how its process finds the same host as the agent."""

    url: str
    private: bool
    """Only this host can reach it."""
    environment: Mapping[str, str]
    """The whole environment of the process."""
    invite: bool
    """Tell a link that logs in; otherwise only how to get one, since a journal has many readers."""


def require_ours(port: int) -> None:
    """Check that nobody else listens on the console's port.

    The link of a login hands its ticket to whoever answers there. While no console runs, any user of the host may take
    the port, wait for the link to be opened, and use the ticket when the console is back.

    :raises HostError: when another user listens there
    """
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:  # no IPv6
            continue
        for fields in map(str.split, lines):  # proc(5): local_address, st, uid
            listens = fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port
            if listens and int(fields[7]) != os.geteuid():
                msg = f"user {fields[7]} listens on port {port}: a link would log that user in"
                raise HostError(msg, hint="find out who it is ('ss -ltnp'), or set PRATIQUE_CONSOLE=127.0.0.1:PORT")


def login_link(store: Store, url: str, role: str) -> str:
    """Make a ticket for one login and return the link that uses it.

    The ticket stands behind the ``#``: browsers send that part to nobody, and the page hands it over itself.
    """
    now = time.time()
    return f"{url}/login#{store.tokens.create_ticket(role, now, now + TICKET_S)}"


@asynccontextmanager
async def console_beside(settings: ConsoleSettings | None, store: Store, account: Account) -> AsyncIterator[None]:
    """Have the console served for as long as the block lasts; protection never depends on it.

    :param settings: None: there is to be no console
    """
    if settings is None:
        yield
        return
    if not settings.private:
        hint = "put a proxy with TLS in front of it, or serve it on 127.0.0.1"
        account.warn(f"the console at {settings.url} can be reached by other machines, without TLS", hint)
    keeping = asyncio.ensure_future(_keep(settings, store, account))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})


async def _keep(settings: ConsoleSettings, store: Store, account: Account) -> None:
    wait = _FIRST_WAIT_S
    while True:
        began = time.monotonic()
        try:
            last_words = await _run(settings, store, account)
        except OSError as error:  # the host has no room for one more process
            last_words = error.strerror or type(error).__name__
        wait = _FIRST_WAIT_S if time.monotonic() - began >= _GOOD_AFTER_S else min(wait * 2, _LONGEST_WAIT_S)
        account.warn(f"the console ended: {last_words}; it starts again in {wait:.0f} s", "protection goes on")
        await asyncio.sleep(wait)


async def _run(settings: ConsoleSettings, store: Store, account: Account) -> str:
    """Run the process until it ends, and return the last thing that it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P",  # nothing is imported from the current directory, which may be anybody's
        "-m", "pratique", "console", "serve", "--with-parent",
        stdin=PIPE, stdout=PIPE, stderr=PIPE, env=settings.environment,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        if await process.stdout.readline():
            await _invite(settings, store, account)
        return await _until_end(process)
    finally:
        await _end(process)


async def _invite(settings: ConsoleSettings, store: Store, account: Account) -> None:
    if not settings.invite:
        account.say(f"console: {settings.url} ('pratique console login' prints a link that logs in)")
        return
    try:
        link = await asyncio.to_thread(login_link, store, settings.url, "operator")
    except StoreError as error:
        account.warn(f"console: {settings.url}, but no link that logs in: {error.what}", error.hint)
        return
    account.say(f"console: {link} (logs in once, within {TICKET_S / 60:.0f} minutes)")


async def _until_end(process: Process) -> str:
    """Read what the process says until it ends, so that it never waits for a reader; return its last line."""
    assert process.stderr is not None
    said = b""
    while some := await process.stderr.read(_MAX_LAST_WORDS):
        said = (said + some)[-_MAX_LAST_WORDS:]
    code = await process.wait()
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    hints = [line for line in lines if line.startswith("pratique: ")]
    return (hints or lines or [f"exit code {code}"])[-1].removeprefix("pratique: ")


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_END_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
