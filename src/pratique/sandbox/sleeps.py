"""How a sleeper is made to hurry. Pure.

Malware waits out a sandbox: ``sleep 600``, then it acts. So a sleep returns early, as if its time had passed. A real
pause stays, and grows with each sleep that was skipped, so that a polite ``while true; sleep 1`` does not turn into a
storm: 600 sleeps take half a minute in all, and whoever sleeps in a loop for ever soon makes a few turns a second.
Short sleeps are slept at first: honest images wait for their own database with thirty times ``sleep 1``, and would give
up before it is there.

The clock itself does not move: no Linux namespace holds ``CLOCK_REALTIME``, and an offset of ``CLOCK_MONOTONIC`` is
fixed when a time namespace gets its first process. Who compares clocks before and after sees that no time passed.
Only calls that do nothing but sleep are skipped; a wait for a descriptor, a signal or a futex with a time limit is not.
"""

from typing import Final

SKIPPED_FROM_S: Final = 0.5
"""Shorter sleeps are slept."""
SHORT_S: Final = 5.0
LONGEST_S: Final = 366 * 24 * 3600.0
"""What a sleep counts at most: ``sleep infinity`` is a few million years."""
_FIRST_PAUSE_S: Final = 0.02
_GROWTH_S: Final = 0.0001


class Sleeps:
    """The sleeps of one run.

    :param patience_s: how much of short sleeps is slept, all together
    """

    def __init__(self, patience_s: float) -> None:
        self.skipped_s = 0.0
        self._patience_s = patience_s
        self._count = 0

    def pause(self, wanted_s: float) -> float | None:
        """Return how long somebody who wants to sleep is really held; None: let it sleep."""
        if wanted_s < SKIPPED_FROM_S:
            return None
        if wanted_s < SHORT_S and self._patience_s > 0:
            self._patience_s -= wanted_s
            return None
        self._count += 1
        pause = min(_FIRST_PAUSE_S + _GROWTH_S * self._count, wanted_s)
        self.skipped_s += min(wanted_s, LONGEST_S) - pause
        return pause
