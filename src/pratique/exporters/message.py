"""From alerts to what a person reads: a storm becomes one message with its numbers. Pure."""

import fnmatch
import string
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct

from pratique.exporters.targets import Target
from pratique.model import Alert, Severity
from pratique.store import AlertRecord
from pratique.text import printable

_MAX_GROUPS: Final = 1000
_MAX_LINES: Final = 20
_MAX_LINE: Final = 400
_INERT: Final = str.maketrans({"@": "\uff20", "<": "\u2039", "`": "\u02cb"})
"""Chat services take these from a text for mentions and markup; an image's name must not call everybody."""


class Message(Struct, frozen=True):
    """What is sent."""

    title: str
    body: str
    severity: Severity = Severity.UNKNOWN


class _Group(msgspec.Struct):
    alert: Alert
    times: int
    last_at: float


class Digest:
    """What happened since a target was told the last time. Its size is bounded, however many alerts there are."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._groups: dict[tuple[str, ...], _Group] = {}
        self._beyond = 0
        self.count = 0

    def add(self, records: Iterable[AlertRecord]) -> None:
        """Take in alerts; those that the target does not want to know of are left out."""
        for record in records:
            alert = record.alert
            if not is_wanted(alert, self._target):
                continue
            self.count += record.count
            key = (alert.rule, alert.title, alert.image, alert.image_name, alert.action.value)
            group = self._groups.get(key)
            if group is not None:
                group.times += record.count
                group.last_at = max(group.last_at, record.last_at)
            elif len(self._groups) < _MAX_GROUPS:
                self._groups[key] = _Group(alert, record.count, record.last_at)
            else:
                self._beyond += record.count

    def message(self, host: str) -> Message:
        """Return the message: the worst first."""
        groups = sorted(self._groups.values(), key=lambda group: (-group.alert.severity.rank, group.alert.at))
        worst = groups[0].alert
        summary = worst.title if self.count == 1 else f"{self.count} alerts, the worst {worst.severity}: {worst.title}"
        words = {"host": host, "summary": summary, "count": self.count, "severity": worst.severity.value}
        title = string.Template(self._target.title).substitute(words)
        lines = [_line(self._target.line, group) for group in groups[:_MAX_LINES]]
        rest = sum(group.times for group in groups[_MAX_LINES:]) + self._beyond
        if rest:
            lines.append(f"… and {rest} more: pratique alerts")
        return Message(_inert(title)[:200], "\n".join(lines), worst.severity)


def is_wanted(alert: Alert, target: Target) -> bool:
    """Tell whether a target wants to know of an alert."""
    if alert.severity.rank < target.at_least.rank:
        return False
    wanted = [rule for rule in target.rules if not rule.startswith("!")] or ["*"]
    unwanted = [rule[1:] for rule in target.rules if rule.startswith("!")]
    return _matches(alert.rule, wanted) and not _matches(alert.rule, unwanted)


def _matches(rule: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(rule, pattern) for pattern in patterns)


def _line(template: str, group: _Group) -> str:
    alert = group.alert
    words = {
        "at": f"{datetime.fromtimestamp(alert.at, UTC):%Y-%m-%d %H:%M:%SZ}",
        "severity": alert.severity.value,
        "action": alert.action.value,
        "title": alert.title,
        "rule": alert.rule,
        "image": alert.image_name or alert.image.removeprefix("sha256:")[:12],
        "container": alert.container_name or alert.container[:12],
        "times": f"{group.times} times" if group.times > 1 else "",
        "evidence": " ".join(f"{key}={value}" for key, value in sorted(alert.evidence.items())),
    }
    line = " ".join(string.Template(template).substitute(words).split())
    return _inert(line if len(line) <= _MAX_LINE else f"{line[:_MAX_LINE]}…")


def _inert(text: str) -> str:
    return printable(text).translate(_INERT)
