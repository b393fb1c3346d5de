"""The rules of ``rules.yaml``, and what they say about a text. Pure, but for one read of the rules."""

import base64
import binascii
import math
import re
import time
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from functools import cache, cached_property
from importlib.resources import files
from itertools import islice
from typing import Final

import hyperscan
import msgspec
from msgspec import Struct

from pratique.model import Severity

_MAX_HITS: Final = 20
"""Of one rule in one text."""
_PIECE_BYTES: Final = 64 << 10
_OVERLAP_BYTES: Final = 8 << 10
"""Longer than any secret."""
_BUDGET_S: Final = 5.0
"""For all of one text. Text can be made so that ``re`` is slow, which is why it is fed in pieces and timed."""


class Check(StrEnum):
    """What a value must be, beyond its pattern."""

    NONE = ""
    JWT = "jwt"
    DOCKER_AUTH = "docker-auth"


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of secret."""

    id: str
    title: str
    severity: Severity
    pattern: str
    entropy: float
    shown: int = 0
    checked: Check = Check.NONE


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """``rules.yaml``."""

    ignored_paths: tuple[str, ...]
    ignored_values: tuple[str, ...]
    ignored_parts: tuple[str, ...]
    rules: tuple[Rule, ...]


class Hit(Struct, frozen=True):
    """A secret in a text. The secret itself is not kept."""

    rule: Rule
    line: int
    """Counted in the text given, from 1."""
    redacted: str


class RuleSet:
    """The compiled rules: Hyperscan finds which rules match at all, ``re`` finds where."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._patterns = tuple(re.compile(rule.pattern.encode()) for rule in document.rules)

    @cached_property
    def _database(self) -> hyperscan.Database:
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        database.compile(
            expressions=[re.sub(r"\(\?P<\w+>", "(", rule.pattern).encode() for rule in self.document.rules],
            ids=list(range(len(self.document.rules))),
            flags=hyperscan.HS_FLAG_SINGLEMATCH,
        )
        return database

    def find(self, text: bytes) -> Iterator[Hit]:
        """Yield the secrets in a text.

        :raises TimeoutError: when that takes too long
        """
        matched: list[int] = []
        self._database.scan(text, match_event_handler=lambda number, *_: matched.append(number))
        end = time.monotonic() + _BUDGET_S
        for number in sorted(set(matched)):
            rule = self.document.rules[number]
            real = (match for match in _matches(self._patterns[number], text, end) if self._is_real(rule, match))
            for match in islice(real, _MAX_HITS):
                line = text.count(b"\n", 0, match.start("secret")) + 1
                yield Hit(rule, line, redact(match["secret"].decode(errors="replace"), rule.shown))

    def _is_real(self, rule: Rule, match: re.Match[bytes]) -> bool:
        secret = match["secret"].decode(errors="replace")
        value = secret[rule.shown :].lower()
        if value in self.document.ignored_values or any(part in value for part in self.document.ignored_parts):
            return False
        if entropy(secret) < rule.entropy:
            return False
        if rule.checked is Check.JWT:
            return _is_jwt(secret)
        return rule.checked is not Check.DOCKER_AUTH or _is_docker_auth(secret)


@cache
def rule_set() -> RuleSet:
    """Return the built-in rules; compiled once a process."""
    text = files(__package__).joinpath("rules.yaml").read_bytes()
    return RuleSet(msgspec.yaml.decode(text, type=Document))


def find_secrets(text: bytes) -> list[Hit]:
    """Return the secrets in a text, by the built-in rules.

    :raises TimeoutError: when that takes too long
    """
    return list(rule_set().find(text))


def _matches(pattern: re.Pattern[bytes], text: bytes, end: float) -> Iterator[re.Match[bytes]]:
    done = 0
    for start in range(0, len(text), _PIECE_BYTES):
        if time.monotonic() > end:
            raise TimeoutError
        for match in pattern.finditer(text, start, start + _PIECE_BYTES + _OVERLAP_BYTES):
            if match.start() >= done:  # else it lay in the overlap with the piece before
                done = match.end()
                yield match


def entropy(text: str) -> float:
    """Return Shannon's entropy in bits a character."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def redact(secret: str, shown: int) -> str:
    """Return what may be shown of a secret: the letters that tell its kind, and its length."""
    return f"{secret[:shown]}… ({len(secret)} characters)"


def _is_jwt(secret: str) -> bool:
    header = secret.partition(".")[0]
    try:
        document = msgspec.json.decode(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (binascii.Error, msgspec.DecodeError, ValueError):
        return False
    return isinstance(document, dict) and isinstance(document.get("alg"), str) and document["alg"].lower() != "none"


def _is_docker_auth(secret: str) -> bool:
    """``base64(user:password)``; see docker-login(1)."""
    try:
        user, colon, password = base64.b64decode(secret, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return False
    return bool(user and colon and password) and user.isprintable() and password.isprintable()
