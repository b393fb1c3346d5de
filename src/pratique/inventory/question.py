"""What a blast radius is asked of: one text with one meaning, or several until they are looked up. Pure."""

import re
from enum import StrEnum
from typing import Final

from msgspec import Struct

from pratique.errors import UsageError

MAX_LENGTH: Final = 512
_HINT: Final = "ask for a CVE, a package, package<version, package@version, a file's sha256, an image or a container"
_HEX: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_COMPARED: Final = re.compile(r"(@?[^@<>=\s]+)(<=|<|@|==?)([^\s<>=]+)")
_ADVISORY: Final = re.compile(
    r"(?:CVE|GHSA|DSA|DLA|DTSA|USN|PYSEC|PSF|GO|RUSTSEC|MAL|ALPINE-CVE|DEBIAN-CVE|UBUNTU-CVE|ALSA|ALBA|ALEA|RHSA|RLSA"
    r"|ELSA|SUSE-[A-Z]+|OPENSUSE-[A-Z]+|BIT|CGA|GSD|OSV|NSWG-[A-Z]+|HSEC|RSEC|ECHO|MINI)-[A-Z0-9][A-Z0-9:._-]*",
    re.IGNORECASE,
)


class Meaning(StrEnum):
    """What a question can be about."""

    VULNERABILITY = "vulnerability"
    PACKAGE = "package"
    FILE = "file"
    """The SHA-256 of a program's or library's content."""
    IMAGE = "image"
    CONTAINER = "container"


class Question(Struct, frozen=True):
    """A question, taken apart."""

    text: str
    """As it was asked."""
    meanings: tuple[Meaning, ...]
    """All that it can mean by its form."""
    subject: str
    """The name, id or digest that it is about."""
    operator: str = ""
    """Of a package: ``<``, ``<=``, ``=``, or ``""`` for any version."""
    version: str = ""

    def __str__(self) -> str:
        """Return the subject, with the versions that are meant."""
        return f"{self.subject}{self.operator}{self.version}"


def parse_question(text: str) -> Question:
    """Take a question apart.

    ``vulnerability:``, ``package:``, ``file:``, ``image:`` or ``container:`` before it leaves one meaning.

    :raises UsageError: when it can mean nothing
    """
    asked = text.strip()
    if not asked or len(asked) > MAX_LENGTH or not asked.isprintable():
        msg = f"{asked[:40]!r} is not a question" if asked else "the question is empty"
        raise UsageError(msg, hint=_HINT)
    word, separator, rest = asked.partition(":")
    if separator and word in set(Meaning):
        return _narrowed(asked, Meaning(word), rest.strip())
    return _by_form(asked)


def _narrowed(asked: str, meaning: Meaning, rest: str) -> Question:
    if not rest:
        msg = f"{asked!r} does not say which {meaning.value}"
        raise UsageError(msg, hint=_HINT)
    if meaning is Meaning.PACKAGE:
        return _package(asked, rest)
    if meaning is Meaning.FILE:
        digest = _HEX.fullmatch(rest.lower())
        if digest is None:
            msg = f"{rest[:80]!r} is not the SHA-256 of a file"
            raise UsageError(msg, hint="'sha256sum FILE' prints it: 64 hexadecimal digits")
        return Question(asked, (meaning,), digest[1])
    return Question(asked, (meaning,), _canonical(rest) if meaning is Meaning.VULNERABILITY else rest)


def _by_form(asked: str) -> Question:
    if _ADVISORY.fullmatch(asked):
        return Question(asked, (Meaning.VULNERABILITY,), _canonical(asked))
    if digest := _HEX.fullmatch(asked.lower()):
        of_image = (Meaning.IMAGE, Meaning.FILE)
        return Question(asked, of_image if ":" in asked else (*of_image, Meaning.CONTAINER), digest[1])
    is_image = "@sha256:" in asked or asked.startswith("sha256:")
    if not is_image and (any(sign in asked for sign in "<>=") or "@" in asked[1:]):
        return _package(asked, asked)
    return Question(asked, (Meaning.IMAGE,) if is_image else _of_name(asked), asked)


def _of_name(asked: str) -> tuple[Meaning, ...]:
    if asked.startswith("@"):
        return (Meaning.PACKAGE,)
    if ":" in asked:
        return (Meaning.IMAGE,)
    if "/" in asked:
        return (Meaning.IMAGE, Meaning.PACKAGE)
    return (Meaning.PACKAGE, Meaning.IMAGE, Meaning.CONTAINER)


def _package(asked: str, text: str) -> Question:
    if not any(sign in text for sign in "<>=") and "@" not in text[1:]:
        return Question(asked, (Meaning.PACKAGE,), text)
    match = _COMPARED.fullmatch(text)
    if match is None:
        msg = f"{asked[:80]!r} does not name a package and a version"
        raise UsageError(msg, hint="write NAME<VERSION, NAME<=VERSION or NAME@VERSION")
    name, operator, version = match.groups()
    return Question(asked, (Meaning.PACKAGE,), name, operator if operator.startswith("<") else "=", version)


def _canonical(advisory: str) -> str:
    """Return an advisory's id as it is written: only GHSA has small letters behind its name."""
    upper = advisory.upper()
    return f"GHSA-{advisory[5:].lower()}" if upper.startswith("GHSA-") else upper
