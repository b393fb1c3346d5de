from pratique.advisories.findings import Match, merge
from pratique.model import Finding, FindingKind, Package, Severity

PACKAGE = Package("requests", "2.19.0", "PyPI", path="/lib/requests/METADATA")


def found(*matches: Match, members: tuple[Package, ...] = (PACKAGE,), ecosystem: str = "PyPI") -> list[Finding]:
    return merge(matches, ecosystem=ecosystem, version=members[0].version, members=members)


def match(id_: str, *aliases: str, severity: Severity = Severity.UNKNOWN, fixed: str = "", title: str = "") -> Match:
    return Match(id_, aliases, title, severity, fixed)


def test_advisories_on_one_vulnerability_are_one_finding_under_its_cve() -> None:
    (finding,) = found(
        match("PYSEC-2018-28", "CVE-2018-18074", "GHSA-x84v", fixed="2.20.0", severity=Severity.HIGH),
        match("GHSA-x84v", "CVE-2018-18074", fixed="2.3.0", severity=Severity.MEDIUM, title="leak"),
    )
    assert finding.rule == "CVE-2018-18074"
    assert finding.aliases == ("GHSA-x84v", "PYSEC-2018-28")
    assert finding.severity is Severity.HIGH
    assert finding.fixed_version == "2.3.0"
    assert finding.title == "leak"
    assert finding.path == PACKAGE.path


def test_an_advisory_for_many_cves_is_a_finding_for_each() -> None:
    findings = found(match("DSA-1-1", "CVE-2020-0001", "CVE-2020-0002"), match("DEBIAN-CVE-2020-0002", "CVE-2020-0002"))
    assert [(finding.rule, finding.aliases) for finding in findings] == [
        ("CVE-2020-0001", ("DSA-1-1",)),
        ("CVE-2020-0002", ("DEBIAN-CVE-2020-0002", "DSA-1-1")),
    ]


def test_an_advisory_without_a_cve_joins_the_one_that_names_it() -> None:
    (finding,) = found(match("GHSA-1"), match("PYSEC-1", "GHSA-1", "CVE-2020-0001"))
    assert (finding.rule, finding.aliases) == ("CVE-2020-0001", ("GHSA-1", "PYSEC-1"))
    (finding,) = found(match("GHSA-1", "PYSEC-1"), match("PYSEC-1", "GHSA-1"))
    assert (finding.rule, finding.aliases) == ("GHSA-1", ("PYSEC-1",))


def test_a_malicious_package_is_malware_of_the_worst_sort() -> None:
    (finding,) = found(match("MAL-2024-1", "GHSA-2"))
    assert (finding.kind, finding.rule, finding.severity) == (FindingKind.MALWARE, "MAL-2024-1", Severity.CRITICAL)


def test_packages_of_one_source_are_named_in_the_evidence() -> None:
    members = tuple(
        Package(name, "1.1.1", "Debian:11", source_name="openssl") for name in ("openssl", "libssl1.1", "libssl-dev")
    )
    (finding,) = found(match("DSA-1", "CVE-2020-0001"), members=members, ecosystem="Debian:11")
    assert (finding.package, finding.evidence) == ("openssl", "installed as libssl-dev, libssl1.1")


def test_long_lists_of_packages_are_cut() -> None:
    members = tuple(Package(f"lib{number:03}", "1", "Debian:11", source_name="big") for number in range(500))
    (finding,) = found(match("CVE-2020-0001"), members=members, ecosystem="Debian:11")
    assert finding.evidence.endswith("lib009 and 490 more")


def test_nearest_mend_is_by_version_order_not_by_text() -> None:
    (finding,) = found(match("GHSA-1", fixed="10.0"), match("GHSA-1", fixed="9.0"))
    assert finding.fixed_version == "9.0"
