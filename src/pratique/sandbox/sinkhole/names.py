"""Every name has an address: made up, one of its own for each name, so that a connection tells which name was meant."""

import ipaddress
from typing import Final

_FIRST4: Final = int(ipaddress.IPv4Address("198.18.0.16"))
"""RFC 2544: for benchmarks of network devices, nobody's on the internet."""
_FIRST6: Final = int(ipaddress.IPv6Address("fd00:5eed::10"))
_MOST: Final = 65_536
"""Names beyond share the last address."""


class Names:
    """The names that were asked for."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []

    def addresses(self, name: str) -> tuple[ipaddress.IPv4Address, ipaddress.IPv6Address]:
        """Return the addresses of a name, the same ones each time."""
        number = self._numbers.get(name)
        if number is None:
            number = len(self._names)
            if number < _MOST:
                self._names.append(name)
                self._numbers[name] = number
        number = min(number, _MOST)
        return ipaddress.IPv4Address(_FIRST4 + number), ipaddress.IPv6Address(_FIRST6 + number)

    def name_of(self, address: str) -> str:
        """Return the name that an address was made up for, or nothing."""
        parsed = ipaddress.ip_address(address)
        number = int(parsed) - (_FIRST4 if parsed.version == 4 else _FIRST6)
        return self._names[number] if 0 <= number < len(self._names) else ""


def is_address(text: str) -> bool:
    """Tell whether a text is an IP address, which is no name."""
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
