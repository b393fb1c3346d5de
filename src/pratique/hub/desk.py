"""What every question to the console is answered from."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

from msgspec import Struct

from pratique.policy import Document, read
from pratique.store import Store

Value = TypeVar("Value")
_MAX_REMEMBERED: Final = 64


class Memory:
    """Answers that cost much, kept for a few seconds for everybody who asks the same."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[object, tuple[float, Any]] = {}

    def within(self, seconds: float, key: object, make: Callable[[], Value]) -> Value:
        """Return the value under a key, made at most so long ago; one caller at a time makes one."""
        with self._lock:
            at, value = self._kept.pop(key, (float("-inf"), None))
            if time.monotonic() - at > seconds:
                at, value = time.monotonic(), make()
            self._kept[key] = (at, value)
            if len(self._kept) > _MAX_REMEMBERED:
                del self._kept[next(iter(self._kept))]
            made: Value = value
            return made


class Desk(Struct, frozen=True):
    """The store, the policy file, and who asks."""

    store: Store
    policy_path: Path
    run_dir: Path
    memory: Memory
    advisories_path: Path | None = None
    """The advisory database, which tells what is exploited in the wild."""
    actor: str = ""
    """Who asks, for the decision log."""

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return time.time()

    def policy(self) -> Document:
        """Return the policy file's document; the first one of all where there is none yet.

        :raises PolicyError: when it is not valid
        """
        return read(self.policy_path) if self.policy_path.exists() else Document()
