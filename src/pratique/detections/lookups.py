"""Names that were asked for in a run. Memory is bounded."""

import ipaddress
from typing import Final

from pratique.model import ConversationEvent, Recording, Service

MAX_TRACKED: Final = 20_000
TUNNEL_NAMES: Final = 10
"""So many different long names below one domain are data, not names."""
LONG: Final = 24
"""Characters below the domain that make a name long."""
_REVERSE: Final = frozenset({"arpa"})


class Lookups:
    """Remembers which name stands for which address, which domains were asked for ever new names, and files."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._below: dict[str, set[str]] = {}
        self.files: set[str] = set()
        """File names that were asked for over HTTP."""

    def heard(self, event: ConversationEvent) -> None:
        """Take a conversation in: the name in it is that of its peer; a DNS question tells what was answered."""
        if len(self.files) < MAX_TRACKED:
            self.files |= _files_of(event.request)
        if len(self._names) >= MAX_TRACKED or not event.name:
            return
        words = event.request.split()[-1:] if event.service is Service.DNS else [event.address]
        for word in words:
            if _is_address(word):
                self._names.setdefault(word, event.name.lower().rstrip("."))

    def name_of(self, address: str) -> str:
        """Return the name that an address was asked for by, or ``""``."""
        return self._names.get(address, "")

    def tunnel(self, name: str) -> str:
        """Take a name in; return its domain when enough names below it were asked for to carry data, else ``""``."""
        labels = name.lower().rstrip(".").split(".")
        domain_labels = 3 if len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3 else 2
        domain, below = ".".join(labels[-domain_labels:]), ".".join(labels[:-domain_labels])
        if len(below) < LONG or labels[-1] in _REVERSE:
            return ""
        if domain not in self._below and len(self._below) >= MAX_TRACKED:
            return ""
        names = self._below.setdefault(domain, set())
        if len(names) >= TUNNEL_NAMES:
            return ""
        names.add(below)
        return domain if len(names) == TUNNEL_NAMES else ""


def _files_of(request: str) -> set[str]:
    """Return the file name in the first line of a request of HTTP, if there is one."""
    words = request.split()
    path = words[1].partition("?")[0] if len(words) == 3 and words[2].startswith("HTTP/") else ""
    return {path.rsplit("/", 1)[-1]} - {""}


def lookups_of(recording: Recording) -> Lookups:
    """Return all names that a run asked for."""
    lookups = Lookups()
    for event in recording.recorded:
        if isinstance(event, ConversationEvent):
            lookups.heard(event)
    return lookups


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True
