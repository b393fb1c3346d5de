"""Tells targets of alerts: each one on its own, in order, at least once, and never in the way of the agent.

What a target was told is kept in the store after it took the message. A process that is killed between the two tells
it again; nothing is skipped. While a target does not take anything, its alerts wait in the store, and go into one
message when it does.
"""

import asyncio
import random
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

from pratique.errors import PratiqueError, StoreError
from pratique.exporters import syslog
from pratique.exporters.message import Digest, is_wanted
from pratique.exporters.send import deliver
from pratique.exporters.targets import Target
from pratique.store import AlertRecord
from pratique.store.outbox import Outbox

_LOOK_EVERY_S: Final = 1.0
_PAGE: Final = 2000
_MAX_LINES: Final = 2000
"""Of syslog in one go; beyond, the number is told."""
_FIRST_PAUSE_S: Final = 5.0
_LONGEST_PAUSE_S: Final = 300.0


class Notifier:
    """Tells one target."""

    def __init__(
        self,
        target: Target,
        outbox: Outbox,
        *,
        warn: Callable[[str, str], None],
        done: Callable[[str, bool], None] = lambda _name, _sent: None,
        look_every_s: float = _LOOK_EVERY_S,
        first_pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        """Bind a target to the store.

        :param warn: told of the first failure in a row: what, and the next step
        :param done: told of each attempt: the target's name, and whether it took the message
        """
        self._target = target
        self._outbox = outbox
        self._warn = warn
        self._done = done
        self._look_every_s = look_every_s
        self._first_pause_s = first_pause_s
        self._host = socket.gethostname()

    async def run(self) -> None:
        """Tell of every alert that comes, for ever; one that is new to the store begins with the next alert."""
        failures = 0
        while True:
            try:
                told = await self._tell()
                failures = 0
                pause = self._target.every_s if told and not self._target.is_syslog else self._look_every_s
            except PratiqueError as error:
                if not isinstance(error, StoreError):
                    self._done(self._target.name, False)
                if not failures:
                    self._warn(f"{error.what}; trying again", error.hint)
                pause = min(_LONGEST_PAUSE_S, self._first_pause_s * 2**failures) * random.uniform(0.8, 1.2)  # noqa: S311
                failures = min(failures + 1, 10)
            await asyncio.sleep(pause)

    async def _tell(self) -> bool:
        """Tell of what is new; return whether there was something to tell."""
        told, newest = await asyncio.to_thread(self._news)
        if newest <= told:
            return False
        if self._target.is_syslog:
            sent = await asyncio.to_thread(self._send_lines, told, newest)
        else:
            sent = await self._send_digest(told, newest)
        await asyncio.to_thread(self._outbox.set_told, self._target.name, newest)
        if sent:
            self._done(self._target.name, True)
        return sent

    def _news(self) -> tuple[int, int]:
        told, newest = self._outbox.told(self._target.name), self._outbox.newest()
        if told is None:
            self._outbox.set_told(self._target.name, newest)
            told = newest
        return told, newest

    async def _send_digest(self, told: int, newest: int) -> bool:
        digest = Digest(self._target)
        while page := await asyncio.to_thread(self._page, told, newest):
            digest.add(page)
            told = page[-1].id
        if digest.count:
            await deliver(self._target, digest.message(self._host))
        return digest.count > 0

    def _send_lines(self, told: int, newest: int) -> bool:
        receiver = syslog.parse_receiver(self._target.url)
        lines: list[bytes] = []
        beyond = 0
        while page := self._page(told, newest):
            wanted = [record for record in page if is_wanted(record.alert, self._target)]
            room = max(0, _MAX_LINES - len(lines))
            lines += (syslog.encode(entry.alert, entry.count, receiver, self._host) for entry in wanted[:room])
            beyond += len(wanted[room:])
            told = page[-1].id
        if beyond:
            lines.append(syslog.encode_text(f"and {beyond} more alerts", time.time(), receiver, self._host))
        if lines:
            syslog.send(receiver, lines)
        return bool(lines)

    def _page(self, told: int, newest: int) -> Sequence[AlertRecord]:
        return self._outbox.alerts(told, newest, self._target.at_least, _PAGE)
