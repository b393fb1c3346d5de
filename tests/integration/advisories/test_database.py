"""The database file: built, replaced, asked, damaged."""

import json
import multiprocessing
from collections.abc import Sequence
from pathlib import Path

import pytest

from pratique.advisories import Database, Imported, Source, build
from pratique.errors import AdvisoryError, StoreError
from pratique.model import Finding, Package, Severity
from tests.unit.advisories.zips import advisory, write_zip

NOW = 1_750_000_000.0
REQUESTS = Package("requests", "2.19.0", "PyPI")


def load(database: Path, *zips: Path, family: str = "") -> list[Imported]:
    return build(database, [Source(path=path, name=path.name, family=family) for path in zips], now=NOW)


def rules(database: Path, *packages: Package) -> list[str]:
    return [finding.rule for finding in match(database, packages)]


def match(database: Path, packages: Sequence[Package]) -> list[Finding]:
    with Database.open(database) as opened:
        return opened.match(packages)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with one advisory for PyPI and one for Debian."""
    path = tmp_path / "state" / "advisories.db"
    pypi = advisory("PYSEC-1", "requests", "2.20.0", aliases=["CVE-2018-18074"], summary="leaks")
    debian = advisory("DSA-1-1", "openssl", "1.1.1d-2", "Debian:10", upstream=["CVE-2020-0001"])
    load(path, write_zip(tmp_path / "pypi.zip", pypi), write_zip(tmp_path / "debian.zip", debian))
    return path


def test_package_below_the_mend_is_found_and_package_at_the_mend_is_not(database: Path) -> None:
    (finding,) = match(database, [REQUESTS, Package("requests", "2.20.0", "PyPI"), Package("flask", "1", "PyPI")])
    assert (finding.rule, finding.fixed_version, finding.title) == ("CVE-2018-18074", "2.20.0", "leaks")
    assert (finding.package, finding.version, finding.ecosystem) == ("requests", "2.19.0", "PyPI")
    assert finding.severity is Severity.UNKNOWN


def test_names_of_python_packages_are_normalised(database: Path, tmp_path: Path) -> None:
    load(database, write_zip(tmp_path / "a.zip", advisory("PYSEC-2", "Ruamel.YAML_x", "1")))
    assert rules(database, Package("ruamel-yaml.X", "0.5", "PyPI")) == ["PYSEC-2"]


def test_distribution_packages_are_found_by_source_and_release(database: Path) -> None:
    binary = Package("libssl1.1", "1.1.1d-1", "Debian:10", source_name="openssl")
    assert rules(database, binary) == ["CVE-2020-0001"]
    assert rules(database, Package("libssl1.1", "1.1.1d-1", "Debian:11", source_name="openssl")) == []
    assert rules(database, Package("libssl1.1", "1.1.1d-1", "Debian:10")) == []


def test_advisories_of_the_kernel_are_not_matched_to_its_headers(database: Path, tmp_path: Path) -> None:
    load(database, write_zip(tmp_path / "a.zip", advisory("CVE-2024-0001", "linux", "9", "Debian:12")))
    assert rules(database, Package("linux-libc-dev", "6.1-1", "Debian:12", source_name="linux")) == []
    assert rules(database, Package("linux-image-amd64", "6.1-1", "Debian:12", source_name="linux")) == ["CVE-2024-0001"]


def test_worst_findings_come_first(tmp_path: Path, database: Path) -> None:
    words = ("LOW", "CRITICAL", "HIGH")
    documents = [advisory(f"A-{word}", "requests", database_specific={"severity": word}) for word in words]
    load(database, write_zip(tmp_path / "a.zip", *documents))
    assert rules(database, REQUESTS) == ["A-CRITICAL", "A-HIGH", "A-LOW"]


def test_import_replaces_one_ecosystem_and_leaves_the_others(database: Path, tmp_path: Path) -> None:
    (imported,) = load(database, write_zip(tmp_path / "new.zip", advisory("PYSEC-9", "requests", "3")))
    assert (imported.family, imported.advisories) == ("PyPI", 1)
    assert rules(database, REQUESTS) == ["PYSEC-9"]
    assert rules(database, Package("openssl", "1.0-1", "Debian:10")) == ["CVE-2020-0001"]
    with Database.open(database) as opened:
        assert [(feed.family, feed.advisories, feed.source) for feed in opened.summary()] == [
            ("Debian", 1, "debian.zip"),
            ("PyPI", 1, "new.zip"),
        ]


def test_files_of_one_ecosystem_in_one_import_add_up(database: Path, tmp_path: Path) -> None:
    one = write_zip(tmp_path / "one.zip", advisory("PYSEC-1", "requests", "3"))
    two = write_zip(tmp_path / "two.zip", advisory("PYSEC-2", "requests", "3"))
    load(database, one, two)
    assert rules(database, REQUESTS) == ["PYSEC-1", "PYSEC-2"]


def test_other_ecosystems_in_a_file_are_left_to_their_own_feeds(database: Path, tmp_path: Path) -> None:
    mixed = write_zip(
        tmp_path / "mixed.zip",
        advisory("PYSEC-1", "requests", "3"),
        advisory("PYSEC-2", "flask", "3"),
        advisory("DSA-9", "openssl", "9", "Debian:10"),
    )
    (imported,) = load(database, mixed)
    assert (imported.family, imported.advisories, imported.ignored) == ("PyPI", 2, 1)
    assert rules(database, Package("openssl", "1.0-1", "Debian:10")) == ["CVE-2020-0001"]
    (imported,) = load(database, mixed, family="Debian")
    assert (imported.family, imported.advisories, imported.ignored) == ("Debian", 1, 2)
    assert rules(database, Package("openssl", "1.0-1", "Debian:10")) == ["DSA-9"]


def test_broken_entries_are_counted_and_the_rest_taken(tmp_path: Path, database: Path) -> None:
    path = write_zip(tmp_path / "a.zip", b"{", advisory("PYSEC-1", "requests", "3"), b"[]", b"\xff" * 9)
    (imported,) = load(database, path)
    assert (imported.advisories, imported.broken_count) == (1, 3)
    assert [entry.name for entry in imported.broken] == ["0.json", "2.json", "3.json"]


@pytest.mark.parametrize("content", [b"", b"no zip", b"{}"])
def test_broken_zip_is_one_error_and_the_old_database_stays(database: Path, tmp_path: Path, content: bytes) -> None:
    before = database.read_bytes()
    bad = tmp_path / "bad.zip"
    bad.write_bytes(content)
    good = write_zip(tmp_path / "good.zip", advisory("PYSEC-9", "requests", "3"))
    with pytest.raises(AdvisoryError):
        load(database, good, bad)
    assert database.read_bytes() == before
    assert sorted(found.name for found in database.parent.iterdir()) == ["advisories.db", "advisories.db.lock"]


@pytest.mark.parametrize(
    "document",
    [b"{", advisory("A", "p", "1", withdrawn="2024-01-01T00:00:00Z"), advisory("A", "p", "1", "Debian:12")],
)
def test_zip_without_an_advisory_is_one_error(database: Path, tmp_path: Path, document: bytes) -> None:
    before = database.read_bytes()
    with pytest.raises(AdvisoryError, match="holds no usable advisory for npm"):
        load(database, write_zip(tmp_path / "a.zip", document), family="npm")
    assert database.read_bytes() == before


def test_data_are_as_old_as_the_oldest_ecosystem(database: Path, tmp_path: Path) -> None:
    load(database, write_zip(tmp_path / "a.zip", advisory("PYSEC-1", "requests", modified="2020-01-02T00:00:00Z")))
    with Database.open(database) as opened:
        assert opened.built_at == 1_577_923_200
        assert {feed.family: feed.data_at for feed in opened.summary()}["Debian"] == 1_714_521_600


def test_data_that_tell_no_date_are_as_old_as_their_import(database: Path, tmp_path: Path) -> None:
    load(database, write_zip(tmp_path / "a.zip", advisory("X-1", "a", ecosystem="npm", modified="")))
    load(database, write_zip(tmp_path / "b.zip", advisory("X-2", "a", modified="0001-01-01T00:00:00Z")))
    with Database.open(database) as opened:
        feeds = {feed.family: feed for feed in opened.summary()}
        assert feeds["npm"].data_at == feeds["PyPI"].data_at == 0
        assert feeds["npm"].imported_at == NOW
        assert opened.built_at == feeds["Debian"].data_at


def test_a_date_in_the_future_does_not_make_data_young(database: Path, tmp_path: Path) -> None:
    documents = [
        advisory("PYSEC-1", "requests", modified="2020-01-02T00:00:00Z"),
        advisory("PYSEC-2", "requests", modified="2099-01-02T00:00:00Z"),
    ]
    load(database, write_zip(tmp_path / "a.zip", *documents))
    with Database.open(database) as opened:
        assert opened.built_at == 1_577_923_200


def test_missing_and_foreign_files_are_one_error_with_a_hint(tmp_path: Path) -> None:
    for content in (None, b"", b"SQLite format 3\0", b"text" * 5000):
        path = tmp_path / "x.db"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(StoreError) as caught:
            Database.open(path)
        assert "pratique db" in caught.value.hint


def test_damaged_database_is_one_error_when_asked(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)
    database.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        rules(database, REQUESTS)


def test_damaged_database_is_built_anew(database: Path, tmp_path: Path) -> None:
    database.write_bytes(b"rubbish")
    load(database, write_zip(tmp_path / "a.zip", advisory("PYSEC-1", "requests", "3")))
    assert rules(database, REQUESTS) == ["PYSEC-1"]


def test_open_database_outlives_an_import(database: Path, tmp_path: Path) -> None:
    with Database.open(database) as opened:
        load(database, write_zip(tmp_path / "a.zip", advisory("PYSEC-9", "requests", "3")))
        assert [finding.rule for finding in opened.match([REQUESTS])] == ["CVE-2018-18074"]
    assert rules(database, REQUESTS) == ["PYSEC-9"]


def test_database_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = write_zip(tmp_path / "a.zip", advisory("PYSEC-1", "requests", "3"))
    with pytest.raises(StoreError, match="cannot be written"):
        load(tmp_path / "file" / "advisories.db", path)


def import_one(database: str, path: str) -> None:
    load(Path(database), Path(path))


def test_imports_at_the_same_time_lose_nothing(database: Path, tmp_path: Path) -> None:
    ecosystems = ["npm", "Go", "crates.io", "Hex", "Maven", "NuGet"]
    context = multiprocessing.get_context("spawn")
    processes = []
    for number, ecosystem in enumerate(ecosystems):
        path = write_zip(tmp_path / f"{number}.zip", advisory(f"X-{number}", "package", "9", ecosystem))
        processes.append(context.Process(target=import_one, args=(str(database), str(path))))
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    with Database.open(database) as opened:
        assert {feed.family for feed in opened.summary()} == {*ecosystems, "Debian", "PyPI"}
    assert len(rules(database, *(Package("package", "1", ecosystem) for ecosystem in ecosystems))) == len(ecosystems)


def test_rows_name_what_they_should_after_many_imports(database: Path, tmp_path: Path) -> None:
    for turn in range(3):
        for ecosystem in ("npm", "PyPI", "Go"):
            documents = [advisory(f"{ecosystem}-{turn}-{n}", f"package-{n}", "9", ecosystem) for n in range(5)]
            load(database, write_zip(tmp_path / "a.zip", *documents))
    for ecosystem in ("npm", "PyPI", "Go"):
        assert rules(database, Package("package-3", "1", ecosystem)) == [f"{ecosystem}-2-3"]
    assert rules(database, Package("openssl", "1.0-1", "Debian:10")) == ["CVE-2020-0001"]


def test_the_document_is_read_as_published(tmp_path: Path) -> None:
    """One record as osv.dev publishes them, with all that Pratique does not use."""
    document = {
        "schema_version": "1.7.3",
        "id": "GHSA-x84v-xcm2-53pg",
        "modified": "2024-10-21T21:08:40.123456Z",
        "published": "2018-10-29T19:06:46Z",
        "aliases": ["CVE-2018-18074", "PYSEC-2018-28"],
        "related": ["CGA-1"],
        "summary": "Insufficiently Protected Credentials in Requests",
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}],
        "affected": [
            {
                "package": {"name": "requests", "ecosystem": "PyPI", "purl": "pkg:pypi/requests"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.20.0"}]}],
                "versions": ["0.2.0", "2.19.0", "2.19.1"],
                "database_specific": {
                    "source": "https://example.org/x.json",
                    "last_known_affected_version_range": "<= 2.19.1",
                },
            }
        ],
        "references": [{"type": "WEB", "url": "https://example.org"}],
        "database_specific": {"cwe_ids": ["CWE-522"], "severity": "HIGH", "github_reviewed": True},
        "credits": [{"name": "somebody", "type": "FINDER"}],
    }
    database = tmp_path / "advisories.db"
    load(database, write_zip(tmp_path / "a.zip", json.dumps(document).encode()))
    (finding,) = match(database, [REQUESTS])
    assert finding.rule == "CVE-2018-18074"
    assert finding.severity is Severity.HIGH
    assert finding.aliases == ("GHSA-x84v-xcm2-53pg", "PYSEC-2018-28")
