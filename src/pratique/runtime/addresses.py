"""This host's own addresses. Source: proc(5), ``/proc/net/fib_trie`` and ``/proc/net/if_inet6``."""

import re
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final

_MAX_BYTES: Final = 16 << 20
_LOCAL: Final = re.compile(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL")
_INET6: Final = re.compile(r"^([0-9a-f]{32}) ", re.MULTILINE)


def host_addresses(net: Path = Path("/proc/net")) -> tuple[str, ...]:
    """Return the addresses of every interface but loopback, in no promised order; none where they cannot be read."""
    found = {*_LOCAL.findall(_read(net / "fib_trie"))}
    found |= {str(IPv6Address(int(digits, 16))) for digits in _INET6.findall(_read(net / "if_inet6"))}
    return tuple(sorted(address for address in found if not ip_address(address).is_loopback))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_MAX_BYTES).decode("ascii", "replace")
    except OSError:
        return ""
