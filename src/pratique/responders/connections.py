"""The TCP connections of a network namespace, as /proc tells them. Source: proc(5), /proc/net/tcp."""

from pathlib import Path
from typing import Final

from msgspec import Struct

_ESTABLISHED: Final = "01"
_BEGUN: Final = "03"
_CLOSE_WAIT: Final = "08"
_LISTEN: Final = "0A"
_LOOPBACK6: Final = "00000000000000000000000001000000"
_MAX_BYTES: Final = 32 << 20


class Connections(Struct, frozen=True):
    """What a process's network namespace has open."""

    listening: frozenset[int]
    """Ports, other than on loopback alone."""
    incoming: int
    """Connections to those ports that are open or being opened."""


def read_connections(pid: int) -> Connections | None:
    """Return the connections in the network namespace of a process; None when it cannot be seen from here."""
    rows: list[tuple[str, int, str]] = []
    try:
        for name in ("tcp", "tcp6"):
            path = Path(f"/proc/{pid}/net/{name}")
            if name == "tcp" or path.exists():  # IPv6 may be switched off
                with path.open("rb") as stream:
                    rows += parse_table(stream.read(_MAX_BYTES).decode("ascii", "replace"))
    except OSError:
        return None
    listening = frozenset(port for address, port, state in rows if state == _LISTEN and not _is_loopback(address))
    incoming = sum(state in {_ESTABLISHED, _BEGUN, _CLOSE_WAIT} and port in listening for _, port, state in rows)
    return Connections(listening, incoming)


def parse_table(table: str) -> list[tuple[str, int, str]]:
    """Return local address (hexadecimal, as the kernel writes it), local port and state of each line."""
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 4:
            continue
        address, _, port = fields[1].rpartition(":")
        try:
            found.append((address, int(port, 16), fields[3]))
        except ValueError:
            continue
    return found


def _is_loopback(address: str) -> bool:
    """Tell of 127/8, which the kernel writes in the processor's order, and ::1. The engine's resolver is there too."""
    return address == _LOOPBACK6 or (len(address) == 8 and address.endswith("7F"))
