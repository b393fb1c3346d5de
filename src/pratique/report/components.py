"""What both kinds of bills of materials need: names for components, and which vulnerability is in which. Pure."""

import hashlib
import urllib.parse
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from pratique.advisories.ecosystem import canonical, concerns_kernel, package_name, subject
from pratique.model import Finding, FindingKind, Package, Report
from pratique.report.escape import well_formed
from pratique.report.order import worst_first

_NAMESPACE: Final = uuid.UUID("6d2f3c52-6c53-5a6b-9a55-5b1e0c6d6f11")
"""Of this program, for UUIDs of version 5 (RFC 9562, 5.5)."""


def document_uuid(document: dict[str, Any]) -> uuid.UUID:
    """Return a UUID that is the same for the same content and differs with any change."""
    return uuid.uuid5(_NAMESPACE, hashlib.sha256(msgspec.json.encode(document)).hexdigest())


def image_purl(report: Report) -> str:
    """Return the package URL of an image: ``pkg:oci/name@sha256:…`` (purl-spec, type oci), the digest as it is known.

    Without a digest that a registry gave, it is that of the configuration: the image id.
    """
    image = report.image
    digest = next((entry.rpartition("@")[2] for entry in image.repo_digests if "@" in entry), image.id)
    repository = image.references[0] if image.references else ""
    head, _, tail = repository.rpartition("/")
    last, _, tag = tail.partition("@")[0].partition(":")
    name = _quoted(last.lower()) or "image"
    qualifiers = {
        "arch": image.architecture,
        "repository_url": f"{head}/{last}".lower() if head else "",
        "tag": tag,
    }
    query = "&".join(f"{key}={_quoted(value)}" for key, value in qualifiers.items() if value)
    return f"pkg:oci/{name}@{_quoted(digest)}" + (f"?{query}" if query else "")


def references(report: Report) -> list[str]:
    """Return a name for each package that no other one has: its purl, with a number from the second one on."""
    seen: dict[str, int] = {}
    names = []
    for package in report.packages:
        name = well_formed(package.purl) or f"{well_formed(package.ecosystem)}/{_label(package)}"
        seen[name] = seen.get(name, 0) + 1
        # '#' begins a subpath in a purl; no analyzer writes one, so that no name can be had twice this way.
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return names


def vulnerabilities(report: Report) -> dict[str, list[Finding]]:
    """Return the vulnerabilities by id, the worst first, each with its findings."""
    groups: dict[str, list[Finding]] = {}
    for finding in sorted((f for f in report.findings if f.kind is FindingKind.VULNERABILITY), key=worst_first):
        groups.setdefault(finding.rule, []).append(finding)
    return groups


def holders(report: Report) -> Callable[[Finding], Sequence[int]]:
    """Return what tells in which of ``report.packages`` a vulnerability is: advisories speak of source packages."""
    places: dict[tuple[str, str, str], list[int]] = {}
    for number, package in enumerate(report.packages):
        if not concerns_kernel(package):
            places.setdefault((canonical(package.ecosystem), *subject(package)), []).append(number)

    def of(finding: Finding) -> Sequence[int]:
        name = package_name(finding.ecosystem, finding.package)
        return places.get((canonical(finding.ecosystem), name, finding.version), ())

    return of


def _label(package: Package) -> str:
    return well_formed(f"{package.name}@{package.version}")


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="", errors="backslashreplace")
