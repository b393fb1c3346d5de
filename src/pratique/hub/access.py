"""Who asks, and whether it was the person or another site that made the browser ask."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct
from starlette.requests import Request

from pratique.hub.gate import SESSION
from pratique.hub.problems import ForbiddenError, UnauthenticatedError
from pratique.hub.sessions import Role, Session
from pratique.store import Store

CSRF_FIELD: Final = "csrf"
CSRF_HEADER: Final = "x-csrf-token"
_MAX_TOKEN: Final = 200


class Caller(Struct, frozen=True):
    """Somebody who may ask."""

    role: Role
    name: str
    """For the decision log."""
    session: Session | None = None
    """None for a program with a token: no browser, so no other site that could make it ask."""


async def identify(request: Request, store: Store) -> Caller:
    """Return who asks.

    :raises UnauthenticatedError: when it is nobody who is known
    """
    session: Session | None = request.scope.get(SESSION)
    if session is not None:
        return Caller(session.role, f"console session {session.number}", session)
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and 0 < len(token) <= _MAX_TOKEN:
        known = await asyncio.to_thread(store.tokens.find, token.strip(), time.time())
        if known is not None:
            return Caller(Role(known.role), f"console token {known.name}")
    msg = "nobody is logged in" if not kind else "the token is not known, or it has expired"
    raise UnauthenticatedError(msg)


def require_role(caller: Caller, needed: Role) -> None:
    """Check that a caller may do something.

    :raises ForbiddenError: when not
    """
    if not caller.role.permits(needed):
        msg = f"this needs the role {needed}, and you are logged in as {caller.role}"
        raise ForbiddenError(msg, hint=f"'pratique console login --role {needed}' prints a link with that role")


def require_same_origin(headers: Mapping[str, str]) -> None:
    """Check that a page of the console made the browser ask: for every request that changes something.

    Browsers say so in ``Sec-Fetch-Site`` and in ``Origin``; one that says neither is not trusted.

    :raises ForbiddenError: when another site did, or nobody knows
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    ours = site is not None or origin is not None
    if site is not None and site != "same-origin":
        ours = False
    if origin is not None and origin != "null" and _netloc(origin) != headers.get("host", "").lower():
        ours = False
    if origin == "null" and site is None:
        ours = False
    if not ours:
        msg = "the request does not come from a page of the console"
        raise ForbiddenError(msg, hint="open the console itself; programs use a token: 'pratique console token create'")


def require_token_of_session(caller: Caller, token: str) -> None:
    """Check the synchroniser token of a request that changes something.

    :raises ForbiddenError: when it is missing or not the session's
    """
    if caller.session is not None and not caller.session.is_from_here(token):
        msg = "the request lacks the token of this session's pages"
        raise ForbiddenError(msg, hint="load the page again and repeat it")


def _netloc(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:  # brackets around what is no address
        return ""
