"""One API request as the engine describes it to an authorization plugin. Sans I/O."""

import re
from typing import Final, NoReturn
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Struct, field

from pratique.guard.refusal import refuse

MINIMUM_API: Final = (1, 40)
"""Older versions let a client replace a container's settings when it starts it (``HostConfig`` in the start body)."""

MAX_QUESTION: Final = 1 << 20
"""The biggest question that is read: base64 of the biggest body that is judged, and room for other endpoints'."""

PROBE_TARGET: Final = "/v1.0/_ping"
"""Asked by ``guard status`` to see whether the engine asks the guard; always refused, and not recorded."""

_MAX_TARGET: Final = 64 << 10
_VERSIONED: Final = re.compile(r"/v([0-9.]+)(/.*)")
_VERSION: Final = re.compile(r"([1-9])\.([1-9][0-9]?)")
_PATH: Final = re.compile(r"(/[A-Za-z0-9_.:@+=,~-]+)+")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_REPEATABLE: Final = frozenset({"t", "names", "changes", "platform"})


class _Call(Struct, frozen=True):
    """The body of ``/AuthZPlugin.AuthZReq`` (moby, pkg/authorization/api.go); empty fields are left out."""

    user: str = field(name="User", default="")
    user_method: str = field(name="UserAuthNMethod", default="")
    method: str = field(name="RequestMethod", default="")
    target: str = field(name="RequestUri", default="")
    body: bytes = field(name="RequestBody", default=b"")
    headers: dict[str, str] = field(name="RequestHeaders", default_factory=dict)


class ApiRequest(Struct, frozen=True):
    """A request to the engine's API; ``path`` is decoded once and stripped of the version."""

    method: str
    path: str
    version: tuple[int, int] | None
    """``None``: none given, the engine takes its newest."""
    query: dict[str, tuple[str, ...]]
    headers: dict[str, str]
    """Names in lower case. Of a repeated header the engine shows the last and obeys the first."""
    body: bytes
    user: str
    """The common name of the client's TLS certificate, or ``""``."""

    def argument(self, name: str) -> str:
        """Return a query argument, or ``""``."""
        return self.query.get(name, ("",))[0]


class Call(Struct, frozen=True):
    """A call of the engine, decoded but not looked at."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    user: str


_decoder: Final = msgspec.json.Decoder(_Call)


def decode_call(body: bytes | None) -> Call:
    """Decode the engine's question.

    :param body: ``None`` when it was too big to be read
    :raises Refusal: ``request.unreadable``; after a plugin crash the engine repeats the question with an empty body
    """
    if body is None:
        what = f"the engine's question is larger than {MAX_QUESTION} bytes"
        refuse("request.unreadable", what, "send a smaller request")
    try:
        call = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        msg = f"the engine's question cannot be decoded: {error}" if body else "the engine's question is empty"
        refuse("request.unreadable", msg, "try again")
    if not call.method or not call.target:
        refuse("request.unreadable", "the engine's question names no request", "try again")
    return Call(
        method=call.method,
        target=call.target,
        headers={name.lower(): value for name, value in call.headers.items()},
        body=call.body,
        user=call.user if call.user_method == "TLS" else "",
    )


def parse(call: Call) -> ApiRequest:
    """Take a request apart.

    :raises Refusal: ``request.target``, ``request.api-version``, ``request.query`` or ``request.unseen-body``
    """
    if call.target == PROBE_TARGET:
        refuse("guard.probe", "the guard is there")
    raw_path, _, raw_query = call.target.partition("?")
    version, path = _version(_path(raw_path))
    length = call.headers.get("content-length", "")
    if call.body and length and length != str(len(call.body)):
        refuse(
            "request.unseen-body",
            f"the request announces {length[:20]} bytes of body, but {len(call.body)} were shown to the guard",
        )
    return ApiRequest(
        method=call.method,
        path=path,
        version=version,
        query=_query(raw_query),
        headers=call.headers,
        body=call.body,
        user=call.user,
    )


def _path(raw: str) -> str:
    if len(raw) > _MAX_TARGET:
        _refuse_target("it is too long")
    if not raw.startswith("/"):
        _refuse_target("it is not a path")
    if _BAD_ESCAPE.search(raw) or "%2f" in raw.lower():
        _refuse_target("it has a bad or an encoded slash")
    try:
        path = unquote_to_bytes(raw).decode("ascii")
    except ValueError:
        _refuse_target("it is not ASCII")
    if path != "/" and not _PATH.fullmatch(path):
        _refuse_target("it has an empty part or a character that no name of the engine has")
    if any(part in (".", "..") for part in path.split("/")):
        _refuse_target("it has a '.' or '..' part")
    return path


def _refuse_target(why: str) -> NoReturn:
    refuse("request.target", f"the request's target cannot be judged: {why}", "send the plain path")


def _version(path: str) -> tuple[tuple[int, int] | None, str]:
    match = _VERSIONED.fullmatch(path)
    if not match:
        return None, path
    numbers = _VERSION.fullmatch(match[1])
    if not numbers:
        refuse("request.api-version", f"{match[1][:20]} is not how an API version is written", "write v1.41")
    version = int(numbers[1]), int(numbers[2])
    if version < MINIMUM_API:
        refuse(
            "request.api-version",
            f"API version {match[1]} lets a client change settings that were judged",
            "set DOCKER_API_VERSION=1.40 or newer",
        )
    return version, match[2]


def _query(raw: str) -> dict[str, tuple[str, ...]]:
    """Parse as Go's ``url.ParseQuery`` does, and refuse what it would drop or what the engine would read but once."""
    result: dict[str, tuple[str, ...]] = {}
    if len(raw) > _MAX_TARGET:
        refuse("request.query", "the query is too long")
    for part in raw.split("&") if raw else ():
        key, _, value = part.partition("=")
        if ";" in part or _BAD_ESCAPE.search(part):
            refuse("request.query", "the query has a semicolon or a bad escape")
        try:
            name = unquote_to_bytes(key.replace("+", " ")).decode()
            text = unquote_to_bytes(value.replace("+", " ")).decode()
        except UnicodeDecodeError:
            refuse("request.query", "the query is not UTF-8")
        if name in result and name not in _REPEATABLE:
            refuse("request.query", f"the query gives {name[:40]!r} twice", "give it once")
        result[name] = (*result.get(name, ()), text)
    return result
