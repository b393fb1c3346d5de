"""How long an image may take."""

import time

from pratique.errors import ImageError


class Deadline:
    """Starts to run when it is made."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def check(self, name: str) -> None:
        """Go on, while there is time.

        :param name: what is being read
        :raises ImageError: when the time is up
        """
        if time.monotonic() > self._end:
            msg = f"{name} takes longer than {self._seconds} s to read"
            raise ImageError(msg)
