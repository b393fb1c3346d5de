"""Each format is what its readers' own schema asks for, whatever an image calls its files and packages."""

import contextlib
import html
import io
import json
import re
import xml.etree.ElementTree as ET
from functools import cache
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packageurl import PackageURL

from pratique.model import Behaviour, Detonation, Finding, FindingKind, Package, Report, Severity, Unread
from pratique.report import Format, Judgement, render, with_behaviour
from tests.unit.report.test_report import IMAGE, REPORT

NASTY = (
    "",
    "\x00\x0b\x1b[31m\x7f\x85",
    "\ud800 \udcff \ufffe\uffff",
    "]]><x>&lt;",
    "<script>alert(1)</script>",
    "--><img src=x onerror=alert(1)>",
    "'\"`onload=",
    "a|b\\|c\n# d",
    "``` ` ~~~ *_~**",
    "[text](javascript:alert(1)) ![](http://example.invalid/x)",
    "https://example.invalid www.example.invalid @everyone #1 :smile:",
    "../../../etc/passwd",
    "%00%2e%2e//host/x?y#z",
    "\u202eevil\u2066",
    "- 1. + ",
    "{{ x }} ${{ secrets.X }} %0A::error::x",
)
HOSTILE = st.one_of(st.sampled_from(NASTY), st.text(max_size=40), st.text(st.characters(categories=["Cc", "Cs", "P"])))
FINDINGS = st.builds(
    Finding,
    st.sampled_from(FindingKind),
    HOSTILE,
    st.sampled_from(Severity),
    HOSTILE,
    path=HOSTILE,
    evidence=HOSTILE,
    package=HOSTILE,
    version=HOSTILE,
    ecosystem=HOSTILE,
    fixed_version=HOSTILE,
    aliases=st.lists(HOSTILE, max_size=2).map(tuple),
)
PURLS = st.one_of(
    st.just(""),
    HOSTILE.map(
        lambda name: PackageURL("generic", None, "x" + name.encode(errors="replace").decode(), "1").to_string()
    ),
)
PACKAGES = st.builds(
    Package, HOSTILE, HOSTILE, HOSTILE, PURLS, HOSTILE, HOSTILE, HOSTILE, HOSTILE, st.integers(-1, 3), HOSTILE
)
REPORTS = st.builds(
    lambda name, packages, findings, unread, distribution: msgspec.structs.replace(
        REPORT,
        image=msgspec.structs.replace(IMAGE, references=(name,)),
        packages=tuple(packages),
        findings=tuple(findings),
        unread=tuple(unread),
        distribution=distribution,
    ),
    HOSTILE,
    st.lists(PACKAGES, max_size=4),
    st.lists(FINDINGS, max_size=4),
    st.lists(st.builds(Unread, HOSTILE, HOSTILE), max_size=2),
    HOSTILE,
)
hostile = settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)


@cache
def cyclonedx_validator() -> jsonschema_rs.Draft7Validator:
    """Return the validator of the schema that CycloneDX publishes, as cyclonedx-python-lib carries it."""
    folder = resources.files("cyclonedx.schema._res")

    def load(name: str) -> Any:
        return json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text())

    registry = jsonschema_rs.Registry(
        [
            ("http://cyclonedx.org/schema/spdx.SNAPSHOT.schema.json", load("spdx")),
            ("http://cyclonedx.org/schema/jsf-0.82.SNAPSHOT.schema.json", load("jsf-0.82")),
        ]
    )
    return jsonschema_rs.Draft7Validator(load("bom-1.6"), registry=registry, validate_formats=True)


@cache
def sarif_validator() -> jsonschema_rs.Draft7Validator:
    schema = json.loads(Path(__file__).with_name("sarif.schema.json").read_text())
    return jsonschema_rs.Draft7Validator(schema, validate_formats=True)


def spdx_faults(text: str, path: Path) -> list[str]:
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    file = path / "bom.spdx.json"
    file.write_text(text)
    return [message.validation_message for message in validate_full_spdx_document(parse_file(str(file)))]


def check_cyclonedx(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    assert [f"{error.instance_path}: {error.message}" for error in cyclonedx_validator().iter_errors(document)] == []
    names = [component["bom-ref"] for component in (document["metadata"]["component"], *document["components"])]
    assert len(set(names)) == len(names)
    assert {part["ref"] for part in document["dependencies"]} == set(names)
    affected = {entry["ref"] for vulnerability in document["vulnerabilities"] for entry in vulnerability["affects"]}
    assert affected <= set(names)
    return document


def check_sarif(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    assert [f"{error.instance_path}: {error.message}" for error in sarif_validator().iter_errors(document)] == []
    run = document["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    return document


def check_junit(text: str) -> ET.Element:
    root = ET.fromstring(text)
    assert root.tag == "testsuites"
    cases = 0
    for suite in root:
        assert suite.tag == "testsuite"
        assert set(suite.attrib) == {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"}
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase")) == len(suite)
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert int(suite.attrib["errors"]) == len(suite.findall("testcase/error"))
        assert {part.tag for case in suite for part in case} <= {"failure", "error", "system-out"}
        assert all({"classname", "name", "time"} == set(case.attrib) for case in suite)
        cases += len(suite)
    assert int(root.attrib["tests"]) == cases
    return root


class _Page(HTMLParser):
    """Collects the tags and attributes of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = io.StringIO()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text.write(data)


def check_html(text: str) -> str:
    page = _Page()
    page.feed(text)
    page.close()
    structure = "html head meta title style body header main h1 h2 dl dt dd section table thead tbody tr th td"
    assert page.tags <= set(f"{structure} code span div p strong ul li details summary".split())
    assert page.attributes <= {"lang", "charset", "http-equiv", "content", "name", "scope", "class"}
    return page.text.getvalue()


def check_markdown(text: str) -> None:
    """Check that each line is one that the renderer meant, and each cell of a table holds only inert text."""
    for line in text.splitlines():
        if line.startswith("|"):
            cells = line.removeprefix("|").removesuffix("|").split("|")
            assert len(cells) in {2, 5, 6}, line
        assert not re.search(r"[`<>\[\]*\\~$@]", line.replace("**", "")), line
        assert not re.search(r"://|(?i:www)\.", line), line


CHECKS = {
    Format.CYCLONEDX: check_cyclonedx,
    Format.SARIF: check_sarif,
    Format.JUNIT: check_junit,
    Format.HTML: check_html,
    Format.MARKDOWN: check_markdown,
}


@pytest.mark.parametrize("form", CHECKS)
def test_report_is_valid(form: Format) -> None:
    CHECKS[form](render(REPORT, form))
    CHECKS[form](render(Report(image=IMAGE, scanned_at=0.0, duration_s=0.0), form))


@pytest.mark.parametrize("form", CHECKS)
@hostile
@given(report=REPORTS)
def test_report_is_valid_whatever_an_image_calls_its_parts(form: Format, report: Report) -> None:
    CHECKS[form](render(report, form))


@hostile
@given(report=REPORTS, reason=HOSTILE)
def test_every_format_renders_the_same_bytes_again(report: Report, reason: str) -> None:
    judgement = Judgement(passed=False, reasons=(reason,), at_fault=report.findings[:1])
    for form in Format:
        text = render(report, form, judgement=judgement)
        assert text.encode() == render(report, form, judgement=judgement).encode()
        assert text.endswith("\n") or form is Format.JSONL
        if form is not Format.HTML:
            assert not re.search("[\x00-\x08\x0b-\x1f\x9b]", text), form


def test_spdx_is_valid(tmp_path: Path) -> None:
    assert spdx_faults(render(REPORT, Format.SPDX), tmp_path) == []


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(report=REPORTS)
def test_spdx_is_valid_whatever_an_image_calls_its_parts(tmp_path: Path, report: Report) -> None:
    assert spdx_faults(render(report, Format.SPDX), tmp_path) == []


def test_source_packages_vulnerability_affects_each_package_that_it_built() -> None:
    built = [
        Package(name, "3.0-1", "Debian:12", f"pkg:deb/debian/{name}@3.0-1", "openssl", "3.0-1")
        for name in ("libssl3", "openssl")
    ]
    other = Package("zlib1g", "1.2", "Debian:12", "pkg:deb/debian/zlib1g@1.2", "zlib", "1.2")
    finding = Finding(
        FindingKind.VULNERABILITY, "CVE-2024-1", Severity.HIGH, "x", package="openssl", version="3.0-1",
        ecosystem="Debian:12", fixed_version="3.1-1",
    )  # fmt: skip
    report = msgspec.structs.replace(REPORT, packages=(*built, other), findings=(finding,))
    (vulnerability,) = check_cyclonedx(render(report, Format.CYCLONEDX))["vulnerabilities"]
    assert [entry["ref"] for entry in vulnerability["affects"]] == [package.purl for package in built]
    assert vulnerability["recommendation"] == "openssl 3.0-1: upgrade to 3.1-1"


def test_bill_tells_licence_and_layer() -> None:
    package = Package("musl", "1.2", "Alpine:v3.19", "pkg:apk/alpine/musl@1.2", layer=1, license="MIT AND BSD-2-Clause")
    report = msgspec.structs.replace(REPORT, packages=(package,), findings=())
    component = check_cyclonedx(render(report, Format.CYCLONEDX))["components"][1]
    assert component["licenses"] == [{"license": {"name": "MIT AND BSD-2-Clause", "acknowledgement": "declared"}}]
    assert {"name": "pratique:layer", "value": IMAGE.layers[1]} in component["properties"]
    assert '"licenseComments": "declared: MIT AND BSD-2-Clause"' in render(report, Format.SPDX)


def test_copies_of_a_package_have_names_of_their_own() -> None:
    copy = Package("lodash", "4.0.0", "npm", "pkg:npm/lodash@4.0.0", path="a/node_modules/lodash/package.json")
    report = msgspec.structs.replace(REPORT, packages=(copy, copy, copy), findings=())
    document = check_cyclonedx(render(report, Format.CYCLONEDX))
    assert [c["bom-ref"] for c in document["components"][1:]] == [copy.purl, f"{copy.purl}#2", f"{copy.purl}#3"]


@pytest.mark.parametrize(
    ("reference", "name", "qualifiers"),
    [
        ("shop/checkout:1", "checkout", {"repository_url": "shop/checkout", "tag": "1"}),
        ("registry.example:5000/a/b:x", "b", {"repository_url": "registry.example:5000/a/b", "tag": "x"}),
        ("redis", "redis", {}),
    ],
)
def test_image_has_a_package_url(reference: str, name: str, qualifiers: dict[str, str]) -> None:
    report = msgspec.structs.replace(REPORT, image=msgspec.structs.replace(IMAGE, references=(reference,)))
    document = check_cyclonedx(render(report, Format.CYCLONEDX))
    purl = PackageURL.from_string(document["metadata"]["component"]["purl"])
    assert (purl.type, purl.name, purl.version) == ("oci", name, IMAGE.id)
    assert purl.qualifiers == {"arch": "amd64", **qualifiers}


def test_gate_decides_what_fails_in_junit() -> None:
    malware = next(finding for finding in REPORT.findings if finding.kind is FindingKind.MALWARE)
    judgement = Judgement(passed=False, reasons=("malware",), at_fault=(malware,))
    root = check_junit(render(REPORT, Format.JUNIT, judgement=judgement))
    assert [case.attrib["name"] for case in root.iter("testcase") if case.find("failure") is not None] == [
        "miner-program in /usr/bin/xmrig"
    ]
    assert root.attrib["failures"] == "1"


@pytest.mark.parametrize("form", [Format.MARKDOWN, Format.HTML])
def test_verdict_and_its_reasons_stand_at_the_top(form: Format) -> None:
    judgement = Judgement(passed=False, reasons=("malware: cryptocurrency miner",))
    text = html.unescape(render(REPORT, form, judgement=judgement))
    assert text.index("does not pass") < text.index("malware: cryptocurrency miner") < text.index("CVE-2023-9999")
    assert "passes" in render(REPORT, form, judgement=Judgement(passed=True))


def test_markdown_of_a_thousand_findings_fits_into_a_summary() -> None:
    finding = REPORT.findings[0]
    many = tuple(msgspec.structs.replace(finding, rule=f"CVE-2024-{n}", title="|" * 5000) for n in range(1000))
    text = render(msgspec.structs.replace(REPORT, findings=many), Format.MARKDOWN)
    assert len(text.encode()) < 1 << 20
    assert "and 800 more" in text


def test_page_is_one_file_without_script() -> None:
    text = render(REPORT, Format.HTML)
    assert "default-src 'none'" in text
    assert not re.search(r"<script|src=|href=|@import|url\(", text)


def test_gitlab_report_has_what_gitlab_asks_for() -> None:
    document = json.loads(render(REPORT, Format.GITLAB))
    assert set(document) == {"version", "scan", "vulnerabilities"}
    scan = document["scan"]
    assert set(scan) == {"analyzer", "scanner", "type", "start_time", "end_time", "status", "messages"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", scan["start_time"])
    for entry in document["vulnerabilities"]:
        assert {"id", "identifiers", "location"} <= set(entry)
        assert entry["severity"] in {"Info", "Unknown", "Low", "Medium", "High", "Critical"}
        assert set(entry["location"]) == {"image", "operating_system", "dependency"}
    assert len({entry["id"] for entry in document["vulnerabilities"]}) == len(REPORT.findings)


def test_lines_hold_one_finding_each() -> None:
    lines = render(REPORT, Format.JSONL).splitlines()
    findings = [json.loads(line) for line in lines]
    assert {finding["rule"] for finding in findings} == {finding.rule for finding in REPORT.findings}
    assert all(finding["image"] == IMAGE.id for finding in findings)


def test_behaviour_of_a_detonation_is_told_like_a_scans_findings() -> None:
    finding = Finding(FindingKind.BEHAVIOUR, "net.stratum", Severity.CRITICAL, "spoke Stratum to a mining pool")
    detonation = Detonation(IMAGE, 1.0, 30.0, (), Behaviour.BAD, "it mines", (finding,))
    report = with_behaviour(REPORT, detonation)
    for form in Format:
        text = render(report, form)
        assert "spoke Stratum" in text or form in {Format.CYCLONEDX, Format.SPDX}, form


def test_fingerprint_survives_a_new_version_of_the_package() -> None:
    finding = REPORT.findings[0]
    newer = msgspec.structs.replace(finding, version="9", title="said otherwise", severity=Severity.LOW)
    prints = [
        check_sarif(render(msgspec.structs.replace(REPORT, findings=(f,)), Format.SARIF))["runs"][0]["results"][0][
            "partialFingerprints"
        ]
        for f in (finding, newer)
    ]
    assert prints[0] == prints[1]


def test_paths_of_an_image_never_lead_out_of_a_repository() -> None:
    finding = msgspec.structs.replace(REPORT.findings[2], path="../../a b/./c#d?e")
    run = check_sarif(render(msgspec.structs.replace(REPORT, findings=(finding,)), Format.SARIF))["runs"][0]
    location = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": "%2E%2E/%2E%2E/a%20b/%2E/c%23d%3Fe", "uriBaseId": "IMAGE"}
    with contextlib.suppress(KeyError):
        assert location["uri"][0] != "/"
