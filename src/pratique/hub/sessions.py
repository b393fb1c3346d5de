"""Who is logged in. Sessions live in memory: a console that is started anew asks everybody to log in again."""

import hmac
import secrets
from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256
from typing import Final

from msgspec import Struct

IDLE_S: Final = 3600.0
"""A session that nobody used for so long ends."""
LONGEST_S: Final = 12 * 3600.0
"""A session ends after so long, used or not."""
MAX_SESSIONS: Final = 200
_RANDOM_BYTES: Final = 32


class Role(StrEnum):
    """What a caller may do; later ones may do what earlier ones may."""

    VIEWER = "viewer"
    """Sees everything, changes nothing."""
    OPERATOR = "operator"
    """Changes the policy, cuts containers off."""

    def permits(self, needed: "Role") -> bool:
        """Tell whether this role may do what another one may."""
        roles = list(Role)
        return roles.index(self) >= roles.index(needed)


class Bucket:
    """A token bucket: so many at once, so many a second from then on."""

    def __init__(self, burst: int, per_s: float, clock: Callable[[], float]) -> None:
        self._burst = burst
        self._per_s = per_s
        self._clock = clock
        self._level = float(burst)
        self._at = clock()

    def take(self) -> bool:
        """Take one; False when there is none left."""
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._at) * self._per_s)
        self._at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


class Session:
    """One login in one browser."""

    def __init__(self, role: Role, now: float, bucket: Bucket) -> None:
        self.role = role
        self.csrf = secrets.token_urlsafe(_RANDOM_BYTES)
        """The synchroniser token: each form and each script request repeats it, and no other site can read it."""
        self.number = secrets.token_hex(4)
        """Tells sessions apart in the decision log."""
        self.bucket = bucket
        self.notice = ""
        """What the next page says once, about what was done."""
        self.began = self.used = now

    def is_over(self, now: float) -> bool:
        """Tell whether the session has expired."""
        return now - self.used > IDLE_S or now - self.began > LONGEST_S

    def is_from_here(self, token: str) -> bool:
        """Tell whether a request carries the synchroniser token."""
        return hmac.compare_digest(token.encode(), self.csrf.encode())

    def take_notice(self) -> str:
        """Return what is to be said once."""
        notice, self.notice = self.notice, ""
        return notice


class Opened(Struct, frozen=True):
    """A new session and the cookie that stands for it."""

    cookie: str
    session: Session


class Sessions:
    """All sessions of one console.

    :param clock: seconds that only grow
    """

    def __init__(self, clock: Callable[[], float], bucket: Callable[[], Bucket]) -> None:
        self._clock = clock
        self._bucket = bucket
        self._sessions: dict[bytes, Session] = {}

    def open(self, role: Role) -> Opened:
        """Begin a session; the longest unused one makes room where there are too many."""
        now = self._clock()
        self._sessions = {key: session for key, session in self._sessions.items() if not session.is_over(now)}
        if len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key].used)]
        cookie = secrets.token_urlsafe(_RANDOM_BYTES)
        session = self._sessions[_key(cookie)] = Session(role, now, self._bucket())
        return Opened(cookie, session)

    def find(self, cookie: str) -> Session | None:
        """Return the session of a cookie, and note that it is in use."""
        session = self._sessions.get(_key(cookie))
        now = self._clock()
        if session is None or session.is_over(now):
            return None
        session.used = now
        return session

    def is_open(self, session: Session) -> bool:
        """Tell whether a session that was found once still holds; without counting as use."""
        return not session.is_over(self._clock()) and session in self._sessions.values()

    def close(self, session: Session) -> None:
        """End a session."""
        self._sessions = {key: other for key, other in self._sessions.items() if other is not session}


def _key(cookie: str) -> bytes:
    """Return what a session is kept under: looking up the hash tells nothing by its time."""
    return sha256(cookie.encode("utf-8", "replace")).digest()
