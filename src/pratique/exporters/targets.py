"""Who is told of alerts: the document, and its secrets kept out of sight.

Every URL may hold a password or a token, so none is ever shown: not in an error, a log, a list or a ``repr``.
"""

import re
import string
import urllib.parse
from pathlib import Path
from typing import Final

from msgspec import Struct

from pratique.errors import UsageError
from pratique.exporters.syslog import parse_receiver
from pratique.model import Severity
from pratique.policy import strict

MAX_BYTES: Final = 1 << 20
MAX_TARGETS: Final = 50
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_URL: Final = re.compile(r"[\w+.-]+://[^\s`]+")
"""Also where somebody put one in the place of something else."""
_HINT: Final = "docs/notify.md shows an example"
_TITLE: Final = "Pratique on $host: $summary"
_LINE: Final = "$at $severity, $action: $title ($rule) $image $container $times"
_TITLE_WORDS: Final = {"host", "summary", "count", "severity"}
_LINE_WORDS: Final = {"at", "severity", "action", "title", "rule", "image", "container", "times", "evidence"}


class Target(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who is told of alerts."""

    name: str
    """What it is called here; under this name the store keeps what it was told."""
    url: str
    """Where: a URL of Apprise, or ``syslog+unix:///dev/log``, ``syslog+udp://host:514``, ``syslog+tcp://host:601``."""
    at_least: Severity = Severity.HIGH
    rules: tuple[str, ...] = ("*",)
    """Rules that it wants to know of; ``*`` stands for anything, ``!`` in front for all but that."""
    every_s: float = 300.0
    """At most one message in so many seconds; what happens meanwhile goes into the next one. Not for syslog."""
    title: str = _TITLE
    line: str = _LINE

    @property
    def is_syslog(self) -> bool:
        """Whether it is told line by line, by this program itself."""
        return self.url.startswith("syslog+")

    @property
    def shown(self) -> str:
        """The URL as it may be shown: its scheme."""
        return f"{self.url.partition(':')[0]}://…"

    def redact(self, text: str) -> str:
        """Return a text without any part of the URL that may be a secret."""
        parts = re.split(r"[:/?&=@#+]+", self.url)
        secrets = {self.url, *parts, *map(urllib.parse.unquote, parts)} - {self.url.partition(":")[0]}
        for secret in sorted((part for part in secrets if len(part) >= 4), key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def __repr__(self) -> str:
        return f"Target(name={self.name!r}, url={self.shown!r})"


class Targets(Struct, frozen=True, forbid_unknown_fields=True):
    """The document."""

    version: int = 1
    targets: tuple[Target, ...] = ()


def read_targets(path: Path) -> tuple[Target, ...]:
    """Read and check the document in a file; no file: nobody is told.

    :raises UsageError: when it cannot be used, naming the place but no URL
    """
    try:
        if path.exists() and not path.is_file():  # a pipe might never begin, a device never end
            msg = f"{path} is not a file"
            raise UsageError(msg, hint=_HINT)
        with path.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return ()
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise UsageError(msg, hint="run as root; it holds secrets, so keep it readable by root alone") from error
    return parse_targets(text, str(path))


def parse_targets(text: bytes, name: str) -> tuple[Target, ...]:
    """Decode and check the document.

    :raises UsageError: naming the place but no URL
    """
    if len(text) > MAX_BYTES:
        msg = f"{name} is larger than {MAX_BYTES} bytes"
        raise UsageError(msg, hint=_HINT)
    try:
        document = strict.decode(text, Targets)
    except ValueError as error:
        msg = f"{name} is not valid: {_URL.sub('…', str(error))}"
        raise UsageError(msg, hint=_HINT) from error
    fault = _fault(document)
    if fault:
        msg = f"{name}: {_URL.sub('…', fault)}"
        raise UsageError(msg, hint=_HINT)
    return document.targets


def _fault(document: Targets) -> str:
    if document.version != 1:
        return f"version {document.version} is not known, only 1"
    if len(document.targets) > MAX_TARGETS:
        return f"{len(document.targets)} targets are more than {MAX_TARGETS}"
    names: set[str] = set()
    for target in document.targets:
        if not _NAME.fullmatch(target.name):
            return f"{target.name[:80]!r} is not a name of letters, digits, dot, dash and underscore"
        if target.name in names:
            return f"target {target.name} is there twice"
        names.add(target.name)
        fault = _target_fault(target)
        if fault:
            return f"target {target.name}: {fault}"
    return ""


def _target_fault(target: Target) -> str:
    if not re.match(r"[a-z][a-z0-9+.-]*:", target.url):
        return "its url has no scheme"
    if target.is_syslog:
        try:
            parse_receiver(target.url)
        except UsageError as error:
            return error.what
    if not 1 <= target.every_s <= 86_400:
        return "every_s is not between 1 and 86400"
    for template, words in ((target.title, _TITLE_WORDS), (target.line, _LINE_WORDS)):
        parsed = string.Template(template)
        if not parsed.is_valid():
            return "a template has a '$' that is no word; write '$$' for a dollar"
        unknown = set(parsed.get_identifiers()) - words
        if unknown:
            known = ", ".join(f"${word}" for word in sorted(words))
            return f"a template asks for ${min(unknown)}; there are {known}"
    return ""
