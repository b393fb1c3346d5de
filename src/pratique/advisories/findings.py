"""From the advisories that hold for one package to its findings. Pure."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from pratique.advisories.ecosystem import scheme
from pratique.advisories.versions import version_key
from pratique.model import Finding, FindingKind, Package, Severity

_CVE: Final = re.compile(r"CVE-[0-9]{4}-[0-9]{4,}")
_MAX_NAMES: Final = 10
_MALICIOUS: Final = "MAL-"
"""Ids of the OpenSSF's malicious packages: the package is the attack, not a hole in it."""


class Match(Struct, frozen=True):
    """An advisory that holds for a package."""

    id: str
    aliases: tuple[str, ...]
    title: str
    severity: Severity
    fixed: str


def merge(matches: Iterable[Match], *, ecosystem: str, version: str, members: Sequence[Package]) -> list[Finding]:
    """Return one finding for each vulnerability, however many advisories tell of it.

    An advisory that covers several CVEs counts for each. Of several advisories on one vulnerability, the worst severity
    and the nearest version with the mend hold.

    :param members: the packages that the advisories hold for: one, or all that one source package built; not empty
    """
    groups: dict[str, list[Match]] = {}
    for match in matches:
        for rule in _rules(match):
            groups.setdefault(rule, []).append(match)
    _join(groups)
    name = members[0].source_name or members[0].name
    evidence = _installed(name, members)
    order = scheme(ecosystem)
    return [
        Finding(
            kind=FindingKind.MALWARE if rule.startswith(_MALICIOUS) else FindingKind.VULNERABILITY,
            rule=rule,
            severity=_severity(rule, group),
            title=next((match.title for match in group if match.title), f"{rule} in {name}"),
            path=members[0].path,
            evidence=evidence,
            package=name,
            version=version,
            ecosystem=ecosystem,
            fixed_version=min(
                {match.fixed for match in group if match.fixed}, key=lambda fixed: version_key(order, fixed), default=""
            ),
            aliases=tuple(sorted(_names(group) - {rule})),
        )
        for rule, group in groups.items()
    ]


def _rules(match: Match) -> tuple[str, ...]:
    """Return the ids to report an advisory under: its CVEs, else the GHSA, else its own."""
    names = (match.id, *match.aliases)
    cves = tuple(dict.fromkeys(name for name in names if _CVE.fullmatch(name)))
    if cves:
        return cves
    if match.id.startswith(_MALICIOUS):
        return (match.id,)
    return (next((name for name in names if name.startswith("GHSA-")), match.id),)


def _join(groups: dict[str, list[Match]]) -> None:
    """Move an advisory that names no CVE to the CVE of an advisory that names it."""
    rules = [rule for rule in groups if not _CVE.fullmatch(rule)]
    if not rules:
        return
    cve_of = {alias: rule for rule, group in groups.items() if _CVE.fullmatch(rule) for alias in _names(group)}
    for rule in rules:
        cve = cve_of.get(rule)
        if cve is not None:
            groups[cve] += groups.pop(rule)


def _names(group: Iterable[Match]) -> set[str]:
    names: set[str] = set()
    for match in group:
        # of an advisory for many CVEs, the other CVEs are not other names of this one
        names.add(match.id)
        names.update(alias for alias in match.aliases if not _CVE.fullmatch(alias))
    return names


def _severity(rule: str, group: Sequence[Match]) -> Severity:
    if rule.startswith(_MALICIOUS):
        return Severity.CRITICAL
    return max((match.severity for match in group), key=lambda severity: severity.rank)


def _installed(name: str, members: Sequence[Package]) -> str:
    names = sorted({package.name for package in members} - {name})
    if not names:
        return ""
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return f"installed as {', '.join(names[:_MAX_NAMES])}{more}"
