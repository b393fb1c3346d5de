"""Version keys sort as each ecosystem's own tool sorts versions; univers and packaging are the oracles."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version
from univers.versions import AlpineLinuxVersion, DebianVersion, SemverVersion

from pratique.advisories.versions import LOWEST, MAX_VERSION_LENGTH, Scheme, after, version_key


def sign(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def key_sign(scheme: Scheme, left: str, right: str) -> int:
    return sign(version_key(scheme, left), version_key(scheme, right))


ASCENDING = {
    Scheme.DEB: [
        "1.0~~ 1.0~~a 1.0~ 1.0~rc1 1.0 1.0-0ubuntu1 1.0-1 1.0-1+b1 1.0-1.1 1.0a 1.0+dfsg-1",
        "2:0.1 10:0.1",
        "9.9 1:0",
        "1.1.1d-0+deb10u3 1.1.1d-0+deb10u5 1.1.1n-0+deb11u1 3.0.11-1~deb12u2 3.0.11-1",
        "1.2.9 1.2.10 1.2.10-1-1 1.2.10-1-2",
    ],
    Scheme.APK: [
        "1.1.1_alpha_pre2 1.1.1_alpha 1.1.1_beta 1.1.1_pre1 1.1.1_rc1 1.1.1 1.1.1-r0 1.1.1-r1 1.1.1_git1",
        "1.1.1_cvs 1.1.1_svn 1.1.1_git 1.1.1_hg 1.1.1_p1 1.1.1_p2 1.1.1_p10 1.1.1a 1.1.1d-r3 1.1.1.1",
        "1.06-r6 6 6b-r7 021109-r3 20060512",
        "0.01 0.02.10 0.1 0.9 0.10",
        "1.0.0_pre20191002222144-r0 1.0.0_pre20210530193627-r0",
        "104-r9 104-r11",
    ],
    Scheme.PEP440: [
        "1.0.dev1 1.0a1.dev1 1.0a1 1.0b2 1.0rc1 1.0 1.0+local 1.0+1 1.0.post1.dev1 1.0.post1 1.0.1",
        "2.9 2.10 2.10.0.1 1!0.1",
    ],
    Scheme.SEMVER: [
        "1.0.0-1 1.0.0-2 1.0.0-10 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-rc.1 1.0.0",
        "4.17.9 4.17.10 v4.17.11",
        "0.0.0-20190101000000-aaaaaaaaaaaa 0.0.0-20200101000000-000000000000 0.0.1",
    ],
    Scheme.GENERIC: [
        "1.0-alpha1 1.0-beta1 1.0-M1 1.0-rc1 1.0-SNAPSHOT 1.0 1.0-sp1 1.0.1 1.9 1.10",
        "2.3.31.RELEASE 2.3.32",
    ],
}
EQUAL = [
    (Scheme.DEB, "1.0", "0:1.0-0"),
    (Scheme.DEB, "1.0", "1.00"),
    (Scheme.DEB, "1.", "1.0"),
    (Scheme.DEB, "", "0"),
    (Scheme.APK, "2.16.1-r3", "2.16.1-r3"),
    (Scheme.PEP440, "1.0", "v1.0.0"),
    (Scheme.PEP440, "1.0-1", "1.0.post1"),
    (Scheme.PEP440, "1.0+ABC", "1.0+abc"),
    (Scheme.SEMVER, "1.0.0+build.1", "1.0.0+build.2"),
    (Scheme.SEMVER, "1.2", "=v1.2.0"),
    (Scheme.GENERIC, "1.0.0-Final", "1"),
    (Scheme.GENERIC, "1.0.0-rc1", "1.0-rc.1"),
]


@pytest.mark.parametrize(
    ("scheme", "versions"), [(scheme, versions) for scheme, tables in ASCENDING.items() for versions in tables]
)
def test_hard_cases_sort_in_order(scheme: Scheme, versions: str) -> None:
    for lower, higher in pairwise(versions.split()):
        assert version_key(scheme, lower) < version_key(scheme, higher), (lower, higher)


@pytest.mark.parametrize(("scheme", "left", "right"), EQUAL)
def test_different_spellings_of_one_version_have_one_key(scheme: Scheme, left: str, right: str) -> None:
    assert version_key(scheme, left) == version_key(scheme, right)


deb_versions = st.from_regex(r"([0-2]:)?[0-3][0-9.a~+bZ]{0,6}(-[019.a~+]{1,4})?", fullmatch=True)


@given(deb_versions, deb_versions)
def test_deb_agrees_with_oracle(left: str, right: str) -> None:
    assert key_sign(Scheme.DEB, left, right) == sign(DebianVersion(left), DebianVersion(right))


@given(deb_versions, st.text("~019a+.", max_size=3))
def test_deb_agrees_with_oracle_on_versions_that_begin_alike(version: str, more: str) -> None:
    assert key_sign(Scheme.DEB, version, version + more) == sign(DebianVersion(version), DebianVersion(version + more))


# Not in the oracle's dialect, which is Gentoo's: zeros at the end of a fraction (1.010), suffix numbers that are 0, and
# a suffix without a number before another suffix.
apk_versions = st.from_regex(
    r"(0|[1-9][0-9]?)(\.(0|[1-9][0-9]?)){0,3}(\.0[1-9])?[a-c]?(_(alpha|beta|pre|rc|p)[1-9])?(_(alpha|beta|pre|rc|p)[1-9]?)?(-r[1-9][0-9]?)?",
    fullmatch=True,
)


@given(apk_versions, apk_versions)
def test_apk_agrees_with_oracle(left: str, right: str) -> None:
    assert key_sign(Scheme.APK, left, right) == sign(AlpineLinuxVersion(left), AlpineLinuxVersion(right))


pep440_versions = st.from_regex(
    r"([01]!)?(0|1|2|10)(\.(0|1|2|10)){0,3}((a|b|rc)[0-2])?(\.post(0|1|10))?(\.dev(0|1|10))?(\+[a9]([.][0-9b]{1,2}){0,2})?",
    fullmatch=True,
)


@given(pep440_versions, pep440_versions)
def test_pep440_agrees_with_packaging(left: str, right: str) -> None:
    assert key_sign(Scheme.PEP440, left, right) == sign(Version(left), Version(right))


semver_versions = st.from_regex(
    r"(0|1|10)\.(0|2|10)\.(0|3|10)(-(alpha|beta|rc|0|1|10|x-y)(\.(a|0|2|10|b)){0,2})?(\+build)?", fullmatch=True
)


@given(semver_versions, semver_versions)
def test_semver_agrees_with_oracle(left: str, right: str) -> None:
    assert key_sign(Scheme.SEMVER, left, right) == sign(SemverVersion(left), SemverVersion(right))


@given(st.sampled_from(Scheme), st.text(), st.text())
def test_any_text_has_a_key_and_no_key_begins_another(scheme: Scheme, left: str, right: str) -> None:
    one, other = version_key(scheme, left), version_key(scheme, right)
    assert one == other or not one.startswith(other)
    assert len(one) < 8 * MAX_VERSION_LENGTH


@given(st.sampled_from(Scheme), st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}", fullmatch=True))
def test_every_orderly_version_is_above_the_lowest(scheme: Scheme, version: str) -> None:
    assert version_key(scheme, version) > LOWEST


@given(st.sampled_from(Scheme), st.text("0123.a-~", max_size=8), st.text("0123.a-~", max_size=8))
def test_nothing_lies_between_a_version_and_the_place_after_it(scheme: Scheme, left: str, right: str) -> None:
    one, other = version_key(scheme, left), version_key(scheme, right)
    assert not one < other < after(one)


@pytest.mark.parametrize("scheme", [Scheme.PEP440, Scheme.SEMVER, Scheme.APK, Scheme.GENERIC])
def test_what_is_no_version_is_below_the_lowest(scheme: Scheme) -> None:
    assert version_key(scheme, "unknown") < LOWEST
