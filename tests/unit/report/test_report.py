"""A report as text, for people and for programs. The golden files are part of the interface."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.model import Finding, FindingKind, ImageId, ImageIdentity, Package, Report, Severity, Unread
from pratique.report import Format, render, summarize

GOLDEN = Path(__file__).parent / "golden"
IMAGE = ImageIdentity(
    id=ImageId("sha256:" + "ab" * 32),
    references=("shop/checkout:1", "shop/checkout:latest"),
    layers=("sha256:" + "01" * 32, "sha256:" + "02" * 32),
    architecture="amd64",
    os="linux",
    created="2026-01-01T00:00:00Z",
)
REPORT = Report(
    image=IMAGE,
    scanned_at=1_790_000_000.0,
    duration_s=1.25,
    distribution="debian 12",
    packages=(
        Package(
            name="openssl",
            version="3.0.11-1~deb12u1",
            ecosystem="Debian:12",
            purl="pkg:deb/debian/openssl@3.0.11-1~deb12u1?arch=amd64&distro=debian-12",
            source_name="openssl",
            source_version="3.0.11-1~deb12u1",
            architecture="amd64",
            path="var/lib/dpkg/status",
        ),
    ),
    findings=(
        Finding(
            FindingKind.VULNERABILITY,
            "CVE-2024-0727",
            Severity.MEDIUM,
            "NULL pointer dereference when a PKCS12 file is malformed",
            package="openssl",
            version="3.0.11-1~deb12u1",
            ecosystem="Debian:12",
            fixed_version="3.0.13-1~deb12u1",
            aliases=("DSA-0000-1",),
        ),
        Finding(
            FindingKind.VULNERABILITY,
            "CVE-2023-9999",
            Severity.CRITICAL,
            "a vulnerability without a fix, with a title so long that no terminal is wide enough to show all of it",
            package="openssl",
            version="3.0.11-1~deb12u1",
            ecosystem="Debian:12",
        ),
        Finding(
            FindingKind.MALWARE,
            "miner-program",
            Severity.CRITICAL,
            "cryptocurrency miner: strings of a mining program",
            path="usr/bin/xmrig",
            evidence="xmrig | donate-level | randomx",
        ),
        Finding(
            FindingKind.SECRET,
            "github-token",
            Severity.CRITICAL,
            "GitHub token",
            path="root/.netrc",
            evidence="line 3: ghp_… (40 characters)",
        ),
        Finding(
            FindingKind.MISCONFIGURATION,
            "runs-as-root",
            Severity.LOW,
            "runs as root: add 'USER name' to the Dockerfile, or run with --user",
            evidence="no USER",
        ),
    ),
    unread=(Unread("srv/app.jar", "not a valid zip"), Unread("", "time is up after 120 s")),
    advisories_at=1_789_900_000.0,
    files=5235,
)


@pytest.mark.parametrize("form", list(Format))
def test_report_is_as_the_golden_file_has_it(form: Format) -> None:
    assert render(REPORT, form) == (GOLDEN / f"report.{form.value}").read_text()


def test_json_is_the_report_with_a_summary() -> None:
    document = json.loads(render(REPORT, Format.JSON))
    assert document["version"] == 1
    assert document.pop("summary")["vulnerability"] == {"critical": 1, "medium": 1}
    assert msgspec.convert(document, Report) == REPORT


@pytest.mark.parametrize("width", [60, 80, 100, 160, 250])
def test_table_keeps_its_width(width: int) -> None:
    lines = render(REPORT, Format.TABLE, width=width).split("\n")
    wide = [line for line in lines if line.startswith(" ") and len(line) > max(width, 100)]
    assert wide == []
    assert all(line == line.rstrip() for line in lines)


def test_missing_advisories_are_told_with_the_next_step() -> None:
    text = render(msgspec.structs.replace(REPORT, advisories_at=0.0, findings=()), Format.TABLE)
    assert text.count("no advisory database: pratique db update") == 2
    assert "vulnerabilities    none" not in text


def test_worst_comes_first() -> None:
    text = render(REPORT, Format.TABLE)
    assert text.index("CVE-2023-9999") < text.index("CVE-2024-0727")
    assert text.index("MALWARE") < text.index("VULNERABILITIES")


def test_table_cannot_steer_a_terminal() -> None:
    image = msgspec.structs.replace(IMAGE, references=("\x1b]0;owned\x07\nimage  forged",))
    text = render(msgspec.structs.replace(REPORT, image=image), Format.TABLE)
    assert text.startswith("image         \\x1b]0;owned\\x07\\nimage  forged\nid ")


def test_clean_report_says_so() -> None:
    report = Report(image=IMAGE, scanned_at=0.0, duration_s=0.0, advisories_at=1.0)
    text = render(report, Format.TABLE)
    assert text.count(" none\n") == 4
    assert text.endswith("everything\n")


def test_summary_counts_by_kind_and_severity() -> None:
    summary = summarize(REPORT)
    assert summary.of(FindingKind.VULNERABILITY) == {Severity.CRITICAL: 1, Severity.MEDIUM: 1}
    assert list(summary.of(FindingKind.VULNERABILITY)) == [Severity.CRITICAL, Severity.MEDIUM]
    assert (summary.fixable, summary.unread, summary.files, summary.packages) == (1, 2, 5235, 1)


TEXT = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=60)


@given(
    st.lists(st.builds(Finding, st.sampled_from(FindingKind), TEXT, st.sampled_from(Severity), TEXT, TEXT, TEXT, TEXT))
)
def test_any_finding_can_be_shown(findings: list[Finding]) -> None:
    report = msgspec.structs.replace(REPORT, findings=tuple(findings))
    assert render(report, Format.TABLE)
    document = json.loads(render(report, Format.JSON))
    assert msgspec.convert(document["findings"], list[Finding]) == findings
