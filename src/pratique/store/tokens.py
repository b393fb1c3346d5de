"""What opens the console: tokens for programs, and tickets that are good for one login.

Only the SHA-256 of a token is kept: whoever reads the store cannot log in. Tokens have 256 random bits, so a plain
hash is enough, and looking one up by its hash tells nothing by the time that it takes.
"""

import hashlib
import secrets
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Row, delete, insert, select

from pratique.store.database import Database
from pratique.store.encoding import text
from pratique.store.schema import TOKENS

_RANDOM_BYTES: Final = 32
_TICKET: Final = ""
"""The name of a ticket; a token for a program has a name of its own."""


class TokenRecord(Struct, frozen=True):
    """A token, without what would open anything."""

    name: str
    role: str
    created_at: float
    expires_at: float | None
    sha256: str


class Tokens:
    """The tokens in a store; every method raises :class:`~pratique.errors.StoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, role: str, now: float, expires_at: float | None) -> str:
        """Make a token for a program and return it; it cannot be read again."""
        return self._insert(name, role, now, expires_at)

    def create_ticket(self, role: str, now: float, expires_at: float) -> str:
        """Make a ticket for one login and return it; tickets that have expired are forgotten."""
        with self._database.write() as connection:
            connection.execute(delete(TOKENS).where(TOKENS.c.name == _TICKET, TOKENS.c.expires_at <= now))
        return self._insert(_TICKET, role, now, expires_at)

    def all(self) -> list[TokenRecord]:
        """Return the tokens of programs, the newest first; expired ones too."""
        query = select(TOKENS).where(TOKENS.c.name != _TICKET).order_by(TOKENS.c.created_at.desc(), TOKENS.c.sha256)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [_record(row) for row in rows]

    def find(self, token: str, now: float) -> TokenRecord | None:
        """Return a program's token; None when there is no such token or it has expired."""
        query = select(TOKENS).where(TOKENS.c.sha256 == _hash(token), TOKENS.c.name != _TICKET)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None or (row.expires_at is not None and row.expires_at <= now):
            return None
        return _record(row)

    def redeem(self, ticket: str, now: float) -> str | None:
        """Use a ticket up and return its role; None when it was used, has expired or never was.

        Of several that try at the same time one gets it.
        """
        this = (TOKENS.c.sha256 == _hash(ticket)) & (TOKENS.c.name == _TICKET)
        with self._database.read() as connection:
            row = connection.execute(select(TOKENS.c.role, TOKENS.c.expires_at).where(this)).first()
        if row is None:  # whoever guesses never holds the lock that the agent writes under
            return None
        with self._database.write() as connection:
            mine = connection.execute(delete(TOKENS).where(this)).rowcount == 1
        return str(row.role) if mine and row.expires_at > now else None

    def revoke(self, name: str) -> int:
        """Delete the tokens with a name; return how many."""
        if name == _TICKET:
            return 0
        with self._database.write() as connection:
            return connection.execute(delete(TOKENS).where(TOKENS.c.name == text(name))).rowcount

    def _insert(self, name: str, role: str, now: float, expires_at: float | None) -> str:
        token = secrets.token_urlsafe(_RANDOM_BYTES)
        row = {"sha256": _hash(token), "name": text(name), "role": role, "created_at": now, "expires_at": expires_at}
        with self._database.write() as connection:
            connection.execute(insert(TOKENS), row)
        return token


def _record(row: Row[Any]) -> TokenRecord:
    return TokenRecord(row.name, row.role, row.created_at, row.expires_at, row.sha256)


def _hash(token: str) -> str:
    return hashlib.sha256(text(token).encode()).hexdigest()
