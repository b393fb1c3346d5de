"""Looks for secrets in text files."""

from collections.abc import Iterable
from typing import Final

from pratique.analyzers.base import Analyzer, Context, Fact
from pratique.analyzers.secrets.rules import Hit, rule_set
from pratique.image import Node
from pratique.model import Finding, FindingKind, Unread

_PROBE_BYTES: Final = 4096
_MIN_BYTES: Final = 10


class Secrets(Analyzer):
    """Text files, except documentation and test data of installed software."""

    whole = False
    sees_hidden = True

    def __init__(self, context: Context) -> None:
        del context
        self._rules = rule_set()
        self._seen: set[tuple[str, str, str]] = set()

    def wants(self, file: Node) -> bool:
        """Every file that is not documentation or test data."""
        path = f"/{file.path}"
        return file.size >= _MIN_BYTES and not any(part in path for part in self._rules.document.ignored_paths)

    def analyze(self, file: Node, content: bytes) -> Iterable[Fact]:
        """Yield a finding for each secret; its evidence never holds the secret."""
        if b"\0" in content[:_PROBE_BYTES]:
            return
        try:
            for hit in self._rules.find(content):
                key = (file.path, hit.rule.id, hit.redacted)
                if key not in self._seen:  # else in the overlap of two windows, or the same again in one file
                    self._seen.add(key)
                    yield _finding(hit, file.path)
        except TimeoutError:
            yield Unread(file.path, "secret rules did not finish in time")


def _finding(hit: Hit, path: str) -> Finding:
    return Finding(
        kind=FindingKind.SECRET,
        rule=hit.rule.id,
        severity=hit.rule.severity,
        title=hit.rule.title,
        path=path,
        evidence=f"line {hit.line}: {hit.redacted}",
    )
