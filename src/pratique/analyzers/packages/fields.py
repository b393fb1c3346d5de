"""What is common to fields of package databases: they are an enemy's text."""

import io
import re
from collections.abc import Iterator
from typing import Final

from packageurl import PackageURL

_PLAIN: Final = re.compile(r"[!-~]{1,256}")
_WORDS: Final = re.compile(r"[ -~]{1,256}")


def lines(content: bytes, errors: str = "replace") -> Iterator[str]:
    """Yield the lines of a database one by one: a list of millions of short ones would cost a multiple of the file."""
    return (line.decode(errors=errors).rstrip("\n") for line in io.BytesIO(content))


def plain(text: str) -> str:
    """Return a name or version if it is one bounded word of visible ASCII, as each ecosystem asks; else ""."""
    return text if _PLAIN.fullmatch(text) else ""


def words(text: str) -> str:
    """Return a statement if it is one bounded line of visible ASCII; else ""."""
    text = text.strip()
    return text if _WORDS.fullmatch(text) else ""


def purl(kind: str, namespace: str, name: str, version: str, **qualifiers: str) -> str:
    """Return the package URL (purl-spec) of a package."""
    given = {key: value for key, value in qualifiers.items() if value}
    return PackageURL(kind, namespace or None, name, version, given).to_string()
