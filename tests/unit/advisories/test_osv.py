import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.advisories.osv import MAX_TITLE, Advisory, parse
from pratique.advisories.versions import Scheme, version_key
from pratique.errors import AdvisoryError
from pratique.model import Severity

CRITICAL = {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}


def read(**fields: Any) -> Advisory | None:
    return parse(json.dumps({"id": "OSV-1", **fields}).encode())


def affected(name: str = "pkg", ecosystem: str = "PyPI", *, events: Any = None, **fields: Any) -> dict[str, Any]:
    entry = {"package": {"ecosystem": ecosystem, "name": name}, **fields}
    if events is not None:
        entry["ranges"] = [{"type": "ECOSYSTEM", "events": events}]
    return entry


def holds_for(advisory: Advisory | None, version: str, scheme: Scheme = Scheme.PEP440) -> bool:
    assert advisory is not None
    key = version_key(scheme, version)
    return any(span.contains(key) for package in advisory.affected for span in package.spans)


def test_range_ends_before_the_fixed_version() -> None:
    advisory = read(affected=[affected(events=[{"introduced": "1.0"}, {"fixed": "2.0"}])])
    assert [holds_for(advisory, version) for version in ("0.9", "1.0", "1.9.9", "2.0rc1", "2.0")] == [
        False, True, True, True, False,
    ]  # fmt: skip


def test_range_includes_the_last_affected_version() -> None:
    advisory = read(affected=[affected(events=[{"introduced": "0"}, {"last_affected": "2.0"}])])
    assert [holds_for(advisory, version) for version in ("0", "2.0", "2.0.0", "2.0.post1", "2.0.1")] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_range_without_an_end_goes_on() -> None:
    assert holds_for(read(affected=[affected(events=[{"introduced": "3"}])]), "999")


def test_events_count_in_the_order_of_versions_not_of_the_document() -> None:
    events = [{"fixed": "3.1"}, {"introduced": "1.0"}, {"introduced": "3.0"}, {"fixed": "2.0"}]
    advisory = read(affected=[affected(events=events)])
    assert [holds_for(advisory, version) for version in ("0.5", "1.5", "2.5", "3.0", "3.1")] == [
        False, True, False, True, False,
    ]  # fmt: skip


def test_a_range_that_ends_where_it_begins_holds_nothing() -> None:
    assert read(affected=[affected(events=[{"introduced": "1.0"}, {"fixed": "1.0"}])]) is None


def test_listed_versions_count_beside_ranges() -> None:
    advisory = read(affected=[affected(events=[{"introduced": "2"}, {"fixed": "3"}], versions=["1.0", "2.5"])])
    assert [holds_for(advisory, version) for version in ("1.0", "1.1", "2.5", "2.7")] == [True, False, True, True]
    assert advisory is not None
    assert len(advisory.affected[0].spans) == 2


def test_commits_are_not_versions() -> None:
    entry = affected(ranges=[{"type": "GIT", "repo": "r", "events": [{"introduced": "0"}]}])
    assert read(affected=[entry]) is None


def test_withdrawn_advisory_is_left_out() -> None:
    entry = affected(events=[{"introduced": "0"}])
    assert read(affected=[entry]) is not None
    assert read(affected=[entry], withdrawn="2024-01-01T00:00:00Z") is None


def test_ubuntu_pro_speaks_for_the_plain_release_only_where_that_has_no_mend() -> None:
    pro = affected("openssl", "Ubuntu:Pro:16.04:LTS", events=[{"introduced": "0"}, {"fixed": "1.0+esm1"}])
    plain = affected("openssl", "Ubuntu:16.04:LTS", events=[{"introduced": "0"}, {"fixed": "1.0-2"}])
    unfixed = affected("openssl", "Ubuntu:16.04:LTS", events=[{"introduced": "0"}])
    fips = affected("openssl", "Ubuntu:Pro:FIPS:16.04:LTS", events=[{"introduced": "0"}, {"fixed": "9+fips"}])

    def fixes(*entries: dict[str, Any]) -> list[str]:
        advisory = read(affected=list(entries))
        assert advisory is not None
        (package,) = [package for package in advisory.affected if package.ecosystem == "Ubuntu:16.04"]
        return [span.fixed for span in package.spans]

    assert fixes(pro) == ["1.0+esm1"]
    assert fixes(plain, pro, fips) == ["1.0-2"]
    assert fixes(pro, plain) == ["1.0-2"]
    assert fixes(unfixed, pro) == ["1.0+esm1"]


@pytest.mark.parametrize(
    ("document", "entry", "severity"),
    [
        ({"severity": [CRITICAL]}, {}, Severity.CRITICAL),
        ({"severity": [CRITICAL]}, {"severity": [{"type": "Ubuntu", "score": "low"}]}, Severity.LOW),
        ({"severity": [CRITICAL]}, {"ecosystem_specific": {"urgency": "unimportant"}}, Severity.NEGLIGIBLE),
        ({"severity": [CRITICAL]}, {"ecosystem_specific": {"urgency": "not yet assigned"}}, Severity.CRITICAL),
        ({}, {"severity": [CRITICAL]}, Severity.CRITICAL),
        ({"database_specific": {"severity": "MODERATE"}}, {}, Severity.MEDIUM),
        ({"database_specific": {"severity": ["odd"]}}, {}, Severity.UNKNOWN),
        ({"severity": [{"type": "CVSS_V3", "score": "rubbish"}]}, {}, Severity.UNKNOWN),
        ({}, {}, Severity.UNKNOWN),
    ],
)
def test_severity_is_the_packagers_word_then_cvss_then_the_authors_word(
    document: dict[str, Any], entry: dict[str, Any], severity: Severity
) -> None:
    advisory = read(affected=[affected(events=[{"introduced": "0"}], **entry)], **document)
    assert advisory is not None
    assert advisory.affected[0].severity is severity


def test_title_is_one_bounded_printable_line() -> None:
    entry = affected(events=[{"introduced": "0"}])
    advisory = read(affected=[entry], details="two\nlines \x1b[31mred " + "x" * 10_000)
    assert advisory is not None
    assert advisory.title.startswith("two lines [31mred xxx")
    assert advisory.title.isprintable()
    assert len(advisory.title) == MAX_TITLE


@pytest.mark.parametrize(
    "document",
    [b"", b"{", b"[]", b"null", b'{"id": ""}', b'{"id": 5}', b'{"id": "a\\nb"}', b'{"affected": []}', b"\xff\xfe",
     b'{"id":"A","affected":' + b"[" * 100_000, b'{"id":"A","aliases":[1]}'],
)  # fmt: skip
def test_broken_document_is_one_error(document: bytes) -> None:
    with pytest.raises(AdvisoryError) as caught:
        parse(document)
    assert "\n" not in caught.value.what


def test_nulls_stand_for_nothing() -> None:
    nulls = dict.fromkeys(("aliases", "upstream", "severity", "summary", "withdrawn", "database_specific"))
    assert read(affected=[affected(events=[{"introduced": "0"}], versions=None)], **nulls) is not None
    assert read(affected=None) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
events = st.lists(
    st.dictionaries(
        st.sampled_from(["introduced", "fixed", "last_affected", "limit"]), st.text(max_size=8), max_size=2
    ),
    max_size=6,
)
documents = st.fixed_dictionaries(
    {
        "id": st.text(min_size=1, max_size=10),
        "affected": st.lists(
            st.fixed_dictionaries(
                {
                    "package": st.fixed_dictionaries(
                        {
                            "ecosystem": st.sampled_from(["PyPI", "Debian:12", "Alpine:v3.19", "npm", "Maven"]),
                            "name": st.text(max_size=8),
                        }
                    ),
                    "ranges": st.lists(
                        st.fixed_dictionaries({"type": st.just("ECOSYSTEM"), "events": events}), max_size=2
                    ),
                    "versions": st.lists(st.text(max_size=8), max_size=4),
                }
            ),
            max_size=3,
        ),
    },
    optional={"severity": json_values, "modified": json_values, "database_specific": json_values},
)


@given(documents)
def test_any_document_is_an_advisory_nothing_or_one_error(document: dict[str, Any]) -> None:
    try:
        advisory = parse(json.dumps(document).encode())
    except AdvisoryError:
        return
    for package in advisory.affected if advisory else ():
        assert package.spans
        assert all(span.high is None or span.low < span.high for span in package.spans)


def test_many_versions_and_ranges_are_read_in_one_pass() -> None:
    events = [event for n in range(0, 60_000, 2) for event in ({"introduced": f"{n}.0"}, {"fixed": f"{n + 1}.0"})]
    found = read(affected=[affected(events=events, versions=[f"{n}.5" for n in range(60_000)])])
    assert found is not None
    assert len(found.affected[0].spans) == 60_000


@given(
    ranges=st.lists(st.tuples(st.integers(0, 20), st.one_of(st.none(), st.integers(0, 20))), max_size=4),
    versions=st.lists(st.integers(0, 25), max_size=8),
)
def test_listed_versions_add_what_no_range_holds(ranges: list[tuple[int, int | None]], versions: list[int]) -> None:
    entry = affected(versions=[str(version) for version in versions])
    entry["ranges"] = [
        {"type": "ECOSYSTEM", "events": [{"introduced": str(low)}, *([] if high is None else [{"fixed": str(high)}])]}
        for low, high in ranges
    ]
    advisory = read(affected=[entry])
    for n in range(26):
        assert (advisory is not None and holds_for(advisory, str(n))) or n not in set(versions)
    spans = advisory.affected[0].spans if advisory else ()
    assert len(spans) == len(set(spans))
