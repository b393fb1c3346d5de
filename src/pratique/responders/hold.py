"""Keeps new TCP connections away from a container for a moment, without touching those that are open.

Held: the SYN is dropped on the host, and the client's kernel repeats it after one second, then after two more: nobody
is refused while one container makes room for the next. Turned away: the SYN is refused inside the container's network
namespace, so that a client goes on to the next address of the name. Both end by themselves: a rule has a time at which
it no longer matches, so that a killed process leaves nothing behind that hurts.
"""

import asyncio
import ipaddress
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from pratique.errors import HostError

_SYN: Final = ("--protocol", "tcp", "--syn")
_AWAY: Final = "turned-away"
_TABLES: Final = ("iptables", "ip6tables")
_PATIENCE_S: Final = 20.0


async def hold(tag: str, addresses: Iterable[str], ports: Iterable[tuple[str, int]], seconds: float) -> None:
    """Hold new connections to addresses of containers and to published ports of the host.

    :param tag: by which :func:`lift` finds the rules
    :param ports: address of the host (``""``: any) and port
    :param seconds: after which the rules no longer match
    :raises HostError: when the host has no iptables or refuses
    """
    match = (*_SYN, *_until(seconds), *_comment(tag), "--jump", "DROP")
    for address in addresses:
        where = ("--table", "mangle", "--insert", "POSTROUTING", "--destination", address)
        await _run(_table(address), "--wait", *where, *match)
    for address, port in ports:
        local = ("--destination-port", str(port), "--match", "addrtype", "--dst-type", "LOCAL")
        to = ("--destination", address) if address and not ipaddress.ip_address(address).is_unspecified else ()
        for table in _TABLES if not address else (_table(address),):
            for chain in ("PREROUTING", "OUTPUT"):
                # the port's module must stand behind its protocol
                await _run(
                    table, "--wait", "--table", "mangle", "--insert", chain, *to, *_SYN, *local, *match[len(_SYN) :]
                )


async def lift(tag: str) -> None:
    """Remove every rule of a tag; none is fine.

    :raises HostError: when the host refuses
    """
    for table in _TABLES:
        for chain in ("POSTROUTING", "PREROUTING", "OUTPUT"):
            listed = await _run(table, "--wait", "--table", "mangle", "--list", chain, "--numeric", "--line-numbers")
            for number in _marked(listed, tag):
                await _run(table, "--wait", "--table", "mangle", "--delete", chain, number)


async def turn_away(pid: int, seconds: float) -> None:
    """Refuse new connections from outside in the network namespace of a process, with a reset.

    :param pid: a process of the container; its namespace and with it the rules end with the container
    :raises HostError: when the host has no iptables or nsenter, or refuses
    """
    refuse = (*_comment(_AWAY), "--jump", "REJECT", "--reject-with", "tcp-reset")
    for table in _TABLES:
        rule = ("--insert", "INPUT", "!", "--in-interface", "lo", *_SYN, *_until(seconds), *refuse)
        await _run("nsenter", f"--target={pid}", "--net", table, "--wait", *rule)


async def let_in(pid: int) -> None:
    """Take :func:`turn_away` back.

    :raises HostError: when the host refuses
    """
    for table in _TABLES:
        enter = ("nsenter", f"--target={pid}", "--net", table, "--wait")
        listed = await _run(*enter, "--list", "INPUT", "--numeric", "--line-numbers")
        for number in _marked(listed, _AWAY):
            await _run(*enter, "--delete", "INPUT", number)


def _until(seconds: float) -> tuple[str, ...]:
    end = datetime.fromtimestamp(time.time() + seconds, UTC)
    return ("--match", "time", "--datestop", f"{end:%Y-%m-%dT%H:%M:%S}")


def _comment(tag: str) -> tuple[str, ...]:
    return ("--match", "comment", "--comment", f"pratique:{tag}")


def _marked(listed: str, tag: str) -> list[str]:
    """Return the numbers of the rules with a tag, the last first: deleting one leaves those before it as they are."""
    return [line.split()[0] for line in reversed(listed.splitlines()) if f"/* pratique:{tag} */" in line]


def _table(address: str) -> str:
    return "ip6tables" if ":" in address else "iptables"


async def _run(*command: str) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except OSError as error:
        msg = f"{command[0]} cannot be run: {error.strerror}"
        raise HostError(msg) from error
    try:
        async with asyncio.timeout(_PATIENCE_S):
            output, said = await process.communicate()
    except TimeoutError as error:
        process.kill()
        msg = f"{command[0]} did not end within {_PATIENCE_S:.0f} s"
        raise HostError(msg) from error
    if process.returncode:
        msg = f"{command[0]}: {said.decode(errors='replace').strip()[:200]}"
        raise HostError(msg)
    return output.decode(errors="replace")
