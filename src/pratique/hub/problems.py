"""What a request can be told when it cannot be answered: errors and their HTTP status."""

from http import HTTPStatus
from typing import ClassVar

from msgspec import Struct

from pratique.errors import InputError, PratiqueError, StoreError, UsageError


class RefusedError(UsageError):
    """A request that is not answered, with the status that says why."""

    usual_hint = "docs/console.md tells what the console answers"
    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST


class UnauthenticatedError(RefusedError):
    """Nobody is logged in, or the token is unknown or has expired."""

    usual_hint = "'pratique console login' prints a link that logs in once"
    status = HTTPStatus.UNAUTHORIZED


class ForbiddenError(RefusedError):
    """The caller may not do this, or another site made the browser ask."""

    status = HTTPStatus.FORBIDDEN


class NotFoundError(RefusedError):
    """There is no such thing."""

    status = HTTPStatus.NOT_FOUND


class ConflictError(RefusedError):
    """What the caller saw is not what is there now."""

    usual_hint = "load the page again and look at what is there now"
    status = HTTPStatus.CONFLICT


class TooManyError(RefusedError):
    """Too many requests of one kind."""

    usual_hint = "wait a few seconds"
    status = HTTPStatus.TOO_MANY_REQUESTS


class Problem(Struct, frozen=True):
    """An error as the API tells it (RFC 9457)."""

    title: str
    status: int
    detail: str
    hint: str = ""


def status_of(error: PratiqueError) -> HTTPStatus:
    """Return the HTTP status of an error."""
    match error:
        case RefusedError():
            return error.status
        case UsageError():
            return HTTPStatus.BAD_REQUEST
        case InputError():
            return HTTPStatus.UNPROCESSABLE_ENTITY
        case StoreError():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR


def problem(error: PratiqueError) -> Problem:
    """Return an error as the API tells it."""
    status = status_of(error)
    return Problem(title=status.phrase, status=status.value, detail=error.what, hint=error.hint)
