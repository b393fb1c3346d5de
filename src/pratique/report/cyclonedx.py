"""A report as a bill of materials with its vulnerabilities: CycloneDX 1.6 (ECMA-424), JSON. Pure."""

from typing import Any, Final

from pratique import __version__
from pratique.model import Finding, Package, Report, Severity
from pratique.report.components import document_uuid, holders, image_purl, references, vulnerabilities
from pratique.report.escape import json_document, well_formed
from pratique.report.order import told, utc

_IMAGE: Final = "image"
_SYSTEM: Final = "system"
_SEVERITY: Final = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "high",
    Severity.MEDIUM: "medium",
    Severity.LOW: "low",
    Severity.NEGLIGIBLE: "info",
    Severity.UNKNOWN: "unknown",
}


def render_cyclonedx(report: Report) -> str:
    """Return a report as one document, whose serial number is the same for the same report."""
    names = references(report)
    layers = report.image.layers
    components = [_component(package, name, layers) for package, name in zip(report.packages, names, strict=True)]
    system = _system(report)
    parts = [*([_SYSTEM] if system else []), *names]
    content = {
        "metadata": {
            "timestamp": utc(report.scanned_at),
            "tools": {"components": [{"type": "application", "name": "pratique", "version": __version__}]},
            "component": _image(report),
        },
        "components": [*system, *components],
        "dependencies": [{"ref": _IMAGE, "dependsOn": parts}, *({"ref": part} for part in parts)],
        "compositions": [{"aggregate": "incomplete" if report.unread else "unknown", "assemblies": [_IMAGE]}],
        "vulnerabilities": _vulnerabilities(report, names),
    }
    head = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{document_uuid(content)}",
        "version": 1,
    }
    return json_document({**head, **content})


def _image(report: Report) -> dict[str, Any]:
    image = report.image
    properties = {
        "pratique:image:id": [image.id],
        "pratique:image:reference": image.references,
        "pratique:image:repo-digest": image.repo_digests,
        "pratique:image:layer": image.layers,
        "pratique:unread": [told(unread) for unread in report.unread],
    }
    return {
        "type": "container",
        "bom-ref": _IMAGE,
        "name": well_formed(image.name),
        "version": well_formed(image.id),
        "hashes": [{"alg": "SHA-256", "content": image.id.removeprefix("sha256:")}],
        "purl": image_purl(report),
        "properties": [
            {"name": name, "value": well_formed(value)} for name, values in properties.items() for value in values
        ],
    }


def _system(report: Report) -> list[dict[str, Any]]:
    name, _, version = report.distribution.partition(" ")
    if not name:
        return []
    component = {"type": "operating-system", "bom-ref": _SYSTEM, "name": well_formed(name)}
    return [{**component, "version": well_formed(version)} if version else component]


def _component(package: Package, name: str, layers: tuple[str, ...]) -> dict[str, Any]:
    properties = {
        "pratique:ecosystem": package.ecosystem,
        "pratique:source:name": package.source_name,
        "pratique:source:version": package.source_version,
        "pratique:path": package.path,
        "pratique:layer": layers[package.layer] if 0 <= package.layer < len(layers) else "",
    }
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": name,
        "name": well_formed(package.name),
        "version": well_formed(package.version),
        "properties": [{"name": key, "value": well_formed(value)} for key, value in properties.items() if value],
    }
    if package.license:
        # A name, not an expression: whether a package declares one is not known, and readers refuse a broken one.
        component["licenses"] = [{"license": {"name": well_formed(package.license), "acknowledgement": "declared"}}]
    if package.purl:
        component["purl"] = well_formed(package.purl)
    return component


def _vulnerabilities(report: Report, names: list[str]) -> list[dict[str, Any]]:
    places = holders(report)
    return [
        {
            "bom-ref": f"vulnerability/{well_formed(rule)}",
            "id": well_formed(rule),
            "source": {"name": "OSV", "url": "https://osv.dev"},
            "references": [
                {"id": well_formed(alias), "source": {"name": "OSV", "url": "https://osv.dev"}}
                for alias in dict.fromkeys(alias for finding in findings for alias in finding.aliases)
            ],
            "ratings": [{"severity": _SEVERITY[findings[0].severity], "method": "other"}],
            "description": well_formed(findings[0].title),
            "recommendation": well_formed(_recommendation(findings)),
            "affects": [
                {"ref": names[number], "versions": [{"version": report.packages[number].version, "status": "affected"}]}
                for number in dict.fromkeys(number for finding in findings for number in places(finding))
            ]
            or [{"ref": _IMAGE}],
        }
        for rule, findings in vulnerabilities(report).items()
    ]


def _recommendation(findings: list[Finding]) -> str:
    steps = dict.fromkeys(f"{f.package} {f.version}: upgrade to {f.fixed_version}" for f in findings if f.fixed_version)
    return "; ".join(steps) or "there is no fixed version yet"
