"""What the sinkhole tells the keeper: a stream of messages over a pipe, each with its length in front."""

import os
from typing import Final

import msgspec
from msgspec import Struct

from pratique.model import BaitEvent, ConversationEvent, Protocol, Service

LENGTH: Final = 4
MOST_PAYLOAD: Final = 512
_MOST_ALIKE: Final = 20
_Key = tuple[Service, Protocol, str, int, str, str]


class Begin(Struct, frozen=True):
    """What the keeper tells the sinkhole first."""

    authority: bytes
    max_events: int


class Told(Struct, frozen=True):
    """One message of the sinkhole. The first is empty: it is ready."""

    event: ConversationEvent | BaitEvent | None = None
    omitted: int = 0
    """In the last message: what was not told."""
    last: bool = False


class Teller:
    """Writes events, within bounds."""

    def __init__(self, fd: int, max_events: int) -> None:
        self._fd = fd
        self._left = max_events
        self._alike: dict[_Key, int] = {}
        self._held: dict[_Key, ConversationEvent] = {}
        """The last of those that are one too many."""
        self.omitted = 0

    def tell(self, event: ConversationEvent | BaitEvent) -> None:
        """Write one event, unless there were too many of its kind or in all."""
        if isinstance(event, ConversationEvent):
            key = (event.service, event.protocol, event.address, event.port, event.name, event.request)
            count = self._alike.get(key, 0)
            if count >= _MOST_ALIKE:
                self._held[key] = event
                return
            if self._left > 0:
                self._alike[key] = count + 1
        self._pass_on(event)

    def ready(self) -> None:
        """Say that every listener is there."""
        self._write(Told())

    def close(self) -> None:
        """Say what was left out, and end."""
        for event in self._held.values():
            self._pass_on(event)
        self._write(Told(omitted=self.omitted, last=True))
        os.close(self._fd)

    def _pass_on(self, event: ConversationEvent | BaitEvent) -> None:
        if self._left <= 0:
            self.omitted += 1
            return
        self._left -= 1
        self._write(Told(event))

    def _write(self, message: Told) -> None:
        data = msgspec.msgpack.encode(message)
        data = len(data).to_bytes(LENGTH, "big") + data
        while data:
            data = data[os.write(self._fd, data) :]
