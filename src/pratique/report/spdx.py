"""A report as a bill of materials: SPDX 2.3, JSON. Pure."""

import re
from typing import Any, Final

from pratique import __version__
from pratique.model import Package, Report
from pratique.report.components import document_uuid, image_purl, vulnerabilities
from pratique.report.escape import json_document, well_formed
from pratique.report.order import ADVISORY, utc
from pratique.text import printable

_DOCUMENT: Final = "SPDXRef-DOCUMENT"
_IMAGE: Final = "SPDXRef-Image"
_NOT_SAID: Final = "NOASSERTION"
_NOT_IN_AN_ID: Final = re.compile(r"[^a-zA-Z0-9.-]+")


def render_spdx(report: Report) -> str:
    """Return a report as one document, whose namespace is the same for the same report."""
    ids = [f"SPDXRef-Package-{number}-{_plain(package.name)}" for number, package in enumerate(report.packages, 1)]
    content = {
        "creationInfo": {"created": utc(report.scanned_at), "creators": [f"Tool: pratique-{__version__}"]},
        "packages": [
            _image(report),
            *(_package(package, spdx_id) for package, spdx_id in zip(report.packages, ids, strict=True)),
        ],
        "relationships": [
            _relation(_DOCUMENT, "DESCRIBES", _IMAGE),
            *(_relation(_IMAGE, "CONTAINS", spdx_id) for spdx_id in ids),
        ],
    }
    head = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": printable(report.image.name),
        "documentNamespace": f"urn:uuid:{document_uuid(content)}",
    }
    return json_document({**head, **content})


def _image(report: Report) -> dict[str, Any]:
    image = report.image
    return {
        "SPDXID": _IMAGE,
        "name": printable(image.name),
        "versionInfo": image.id,
        "primaryPackagePurpose": "CONTAINER",
        "downloadLocation": _NOT_SAID,
        "filesAnalyzed": False,
        "checksums": [{"algorithm": "SHA256", "checksumValue": image.id.removeprefix("sha256:")}],
        "licenseConcluded": _NOT_SAID,
        "licenseDeclared": _NOT_SAID,
        "copyrightText": _NOT_SAID,
        "externalRefs": [_reference("PACKAGE-MANAGER", "purl", image_purl(report)), *_advisories(report)],
    }


def _advisories(report: Report) -> list[dict[str, str]]:
    """Return the vulnerabilities as SPDX has them: references to what tells of them (2.3, annex K.1)."""
    rules = (rule for rule in vulnerabilities(report) if ADVISORY.fullmatch(rule))
    return [_reference("SECURITY", "advisory", f"https://osv.dev/vulnerability/{rule}") for rule in rules]


def _package(package: Package, spdx_id: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "SPDXID": spdx_id,
        "name": printable(package.name) or _NOT_SAID,
        "versionInfo": well_formed(package.version),
        "downloadLocation": _NOT_SAID,
        "filesAnalyzed": False,
        "licenseConcluded": _NOT_SAID,
        "licenseDeclared": _NOT_SAID,
        "copyrightText": _NOT_SAID,
    }
    if package.license:
        document["licenseComments"] = printable(f"declared: {package.license}")
    if package.purl:
        document["externalRefs"] = [_reference("PACKAGE-MANAGER", "purl", well_formed(package.purl))]
    source = f"built from {package.source_name} {package.source_version}".rstrip() if package.source_name else ""
    told = "; ".join(part for part in (source, f"acquired from /{package.path}" if package.path else "") if part)
    if told:
        document["sourceInfo"] = printable(told)
    return document


def _reference(category: str, kind: str, locator: str) -> dict[str, str]:
    return {"referenceCategory": category, "referenceType": kind, "referenceLocator": locator}


def _relation(source: str, kind: str, target: str) -> dict[str, str]:
    return {"spdxElementId": source, "relationshipType": kind, "relatedSpdxElement": target}


def _plain(name: str) -> str:
    return _NOT_IN_AN_ID.sub("-", name)[:60] or "-"
