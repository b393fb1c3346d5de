"""The OSV format: from one JSON document to what the database keeps. Pure.

Source: https://ossf.github.io/osv-schema/ 1.x. Ranges of type GIT are left out: packages have versions, not commits.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct

from pratique.advisories import cvss
from pratique.advisories.ecosystem import canonical, package_name, scheme
from pratique.advisories.versions import LOWEST, Scheme, after, version_key
from pratique.errors import AdvisoryError
from pratique.model import Severity

MAX_TITLE: Final = 120
MAX_ALIASES: Final = 64
MAX_NAME_LENGTH: Final = 256
_DISTRIBUTIONS: Final = frozenset({Scheme.DEB, Scheme.APK})


class _Event(Struct):
    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None


class _Range(Struct):
    type: str
    events: list[_Event] = []


class _Package(Struct):
    ecosystem: str = ""
    name: str = ""


class _Score(Struct):
    type: str = ""
    score: str = ""


class _Words(Struct):
    """What databases say about severity beside the schema."""

    severity: object = None
    urgency: object = None


class _Affected(Struct):
    package: _Package | None = None
    ranges: list[_Range] | None = None
    versions: list[str] | None = None
    severity: list[_Score] | None = None
    ecosystem_specific: _Words | None = None
    database_specific: _Words | None = None


class _Document(Struct):
    id: str
    modified: str = ""
    withdrawn: str | None = None
    aliases: list[str] | None = None
    upstream: list[str] | None = None
    summary: str | None = None
    details: str | None = None
    severity: list[_Score] | None = None
    affected: list[_Affected] | None = None
    database_specific: _Words | None = None


class Span(Struct, frozen=True):
    """Versions from ``low`` up to but without ``high``, as keys; ``high`` None: no end."""

    low: bytes
    high: bytes | None
    fixed: str = ""
    """The version at ``high``, if that has the mend."""

    def contains(self, key: bytes) -> bool:
        """Tell whether a version lies in the span."""
        return self.low <= key and (self.high is None or key < self.high)


class AffectedPackage(Struct, frozen=True):
    """The affected versions of one package of one ecosystem."""

    ecosystem: str
    name: str
    severity: Severity
    spans: tuple[Span, ...]


class Advisory(Struct, frozen=True):
    """One advisory, not withdrawn."""

    id: str
    aliases: tuple[str, ...]
    title: str
    modified: float
    affected: tuple[AffectedPackage, ...]


_decoder: Final = msgspec.json.Decoder(_Document)
_WORDS: Final = {
    "unimportant": Severity.NEGLIGIBLE,
    "negligible": Severity.NEGLIGIBLE,
    "none": Severity.NEGLIGIBLE,
    "low": Severity.LOW,
    "minor": Severity.LOW,
    "moderate": Severity.MEDIUM,
    "medium": Severity.MEDIUM,
    "important": Severity.HIGH,
    "high": Severity.HIGH,
    "critical": Severity.CRITICAL,
}


def parse(document: bytes) -> Advisory | None:
    """Read one OSV document.

    :returns: None for an advisory that was withdrawn or names no package with versions
    :raises AdvisoryError: when it is not a valid OSV document
    """
    try:
        decoded = _decoder.decode(document)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        msg = f"not an OSV document: {str(error)[:200]}"
        raise AdvisoryError(msg) from error
    if not decoded.id or len(decoded.id) > MAX_NAME_LENGTH or not decoded.id.isprintable():
        msg = "not an OSV document: its id is empty, too long or not printable"
        raise AdvisoryError(msg)
    if decoded.withdrawn:
        return None
    affected = tuple(_affected(decoded))
    if not affected:
        return None
    names = [name for name in (*(decoded.aliases or ()), *(decoded.upstream or ())) if _is_name(name)]
    return Advisory(
        id=decoded.id,
        aliases=tuple(dict.fromkeys(names))[:MAX_ALIASES],
        title=_title(decoded),
        modified=_seconds(decoded.modified),
        affected=affected,
    )


def _is_name(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME_LENGTH and name.isprintable()


def _title(document: _Document) -> str:
    text = " ".join((document.summary or document.details or "")[: 8 * MAX_TITLE].split())
    text = "".join(character for character in text if character.isprintable())
    return text if len(text) <= MAX_TITLE else text[: MAX_TITLE - 1] + "…"


def _seconds(timestamp: str) -> float:
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return 0.0
    return max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), 0.0)


def _affected(document: _Document) -> Iterator[AffectedPackage]:
    merged: dict[tuple[str, str], list[AffectedPackage]] = {}
    for entry in document.affected or ():
        package = entry.package
        if package is None or not _is_name(package.name) or not _is_name(package.ecosystem):
            continue
        ecosystem = canonical(package.ecosystem)
        spans = _spans(entry, scheme(ecosystem))
        if spans:
            name = package_name(ecosystem, package.name)
            found = AffectedPackage(ecosystem, name, _severity(document, entry), spans)
            merged.setdefault((ecosystem, name), []).append(found)
    for (ecosystem, name), entries in _without_pro(merged).items():
        severity = max((entry.severity for entry in entries), key=lambda severity: severity.rank)
        spans = tuple(dict.fromkeys(span for entry in entries for span in entry.spans))
        yield AffectedPackage(ecosystem, name, severity, spans)


def _without_pro(
    affected: dict[tuple[str, str], list[AffectedPackage]],
) -> dict[tuple[str, str], list[AffectedPackage]]:
    """File what Ubuntu Pro mends under the plain release, where the plain release itself offers no mend."""
    result = {key: entries for key, entries in affected.items() if not key[0].startswith("Ubuntu:Pro:")}
    for (ecosystem, name), entries in affected.items():
        if ecosystem.startswith("Ubuntu:Pro:") and ecosystem.count(":") == 2:
            plain = (ecosystem.replace(":Pro:", ":"), name)
            if not any(span.fixed for entry in result.get(plain, ()) for span in entry.spans):
                result[plain] = [msgspec.structs.replace(entry, ecosystem=plain[0]) for entry in entries]
    return result


def _spans(entry: _Affected, order: Scheme) -> tuple[Span, ...]:
    spans: list[Span] = []
    ranges = [found for found in entry.ranges or () if found.type in {"SEMVER", "ECOSYSTEM"} and found.events]
    for found in ranges:
        spans.extend(_spans_of_range(found, order))
    if ranges and order in _DISTRIBUTIONS:
        # distributions list the versions that the range holds; the range is the statement
        return tuple(spans)
    keys = dict.fromkeys(version_key(order, version) for version in entry.versions or ())
    return (*spans, *(Span(key, after(key)) for key in _outside(keys, spans)))


def _outside(keys: Iterable[bytes], spans: list[Span]) -> Iterator[bytes]:
    """Yield the keys that lie in none of the spans; a document may have very many of both."""
    lows: list[bytes] = []
    reach: list[bytes | None] = []
    for span in sorted(spans, key=lambda span: span.low):
        before = reach[-1] if reach else span.high
        lows.append(span.low)
        reach.append(None if before is None or span.high is None else max(before, span.high))
    for key in keys:
        at = bisect_right(lows, key)
        high = reach[at - 1] if at else b""
        if high is not None and key >= high:
            yield key


def _spans_of_range(found: _Range, order: Scheme) -> Iterator[Span]:
    """Walk the events in the order of their versions, as the schema's evaluation algorithm does."""
    events: list[tuple[bytes, int, str]] = []
    for event in found.events:
        if event.introduced is not None:
            start = LOWEST if event.introduced == "0" else version_key(order, event.introduced)
            events.append((start, 1, event.introduced))
        if event.fixed is not None:
            events.append((version_key(order, event.fixed), 0, event.fixed))
        if event.last_affected is not None:
            events.append((after(version_key(order, event.last_affected)), 0, ""))
    starts = {key for key, begins, _ in events if begins}
    ends = {key for key, begins, _ in events if not begins}
    low: bytes | None = None
    for key, begins, version in sorted(events):
        if key in starts and key in ends:
            continue  # begins and ends at one version: nothing changes there
        if begins and low is None:
            low = key
        elif not begins and low is not None:
            yield Span(low, key, version)
            low = None
    if low is not None:
        yield Span(low, None)


def _severity(document: _Document, entry: _Affected) -> Severity:
    """Take the word of whoever packages it, then CVSS, then the word of whoever wrote the advisory."""
    scores = [*(entry.severity or ()), *(document.severity or ())]
    words = [score.score for score in scores if not score.type.startswith("CVSS")]
    for specific in (entry.ecosystem_specific, entry.database_specific):
        if specific is not None:
            words += [word for word in (specific.urgency, specific.severity) if isinstance(word, str)]
    for word in words:
        if severity := _WORDS.get(word.lower()):
            return severity
    for kind in ("CVSS_V4", "CVSS_V3"):
        for vector in (score.score for score in scores if score.type == kind):
            score = cvss.base_score(vector)
            if score is not None:
                return cvss.rating(score)
    word = document.database_specific.severity if document.database_specific else None
    return _WORDS.get(word.lower(), Severity.UNKNOWN) if isinstance(word, str) else Severity.UNKNOWN
