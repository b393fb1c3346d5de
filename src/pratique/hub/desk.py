"""What every question to the console is answered from."""

import hashlib
import math
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

from msgspec import Struct

from pratique.policy import Document, parse
from pratique.policy.document import read_text
from pratique.store import Store

Value = TypeVar("Value")
_MAX_REMEMBERED: Final = 64


class _Kept:
    def __init__(self) -> None:
        self.lock = Lock()
        self.at = -math.inf
        self.value: Any = None


class Memory:
    """Answers that cost much, kept for a few seconds for everybody who asks the same."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[object, _Kept] = {}

    def within(self, seconds: float, key: object, make: Callable[[], Value]) -> Value:
        """Return the value under a key, made at most so long ago; one caller makes it, the others wait for it."""
        with self._lock:
            kept = self._kept[key] = self._kept.pop(key, _Kept())
            if len(self._kept) > _MAX_REMEMBERED:
                del self._kept[next(iter(self._kept))]
        with kept.lock:
            if time.monotonic() - kept.at > seconds:
                kept.value = make()
                kept.at = time.monotonic()
            made: Value = kept.value
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
        return self.policy_and_digest()[0]

    def policy_and_digest(self) -> tuple[Document, str]:
        """Return the same with the SHA-256 of the very file that it was read from; ``""`` where there is none.

        :raises PolicyError: when it is not valid
        """
        if not self.policy_path.exists():
            return Document(), ""
        text = read_text(self.policy_path)
        return parse(text, name=str(self.policy_path)), hashlib.sha256(text).hexdigest()
