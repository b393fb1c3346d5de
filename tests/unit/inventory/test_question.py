import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import UsageError
from pratique.inventory import Meaning, parse_question

HASH = "ab" * 32


@pytest.mark.parametrize(
    ("text", "meanings", "subject", "operator", "version"),
    [
        ("CVE-2023-0286", "vulnerability", "CVE-2023-0286", "", ""),
        (" cve-2023-0286 ", "vulnerability", "CVE-2023-0286", "", ""),
        ("ghsa-X4QR-2fvf-3mr5", "vulnerability", "GHSA-x4qr-2fvf-3mr5", "", ""),
        ("ALPINE-CVE-2023-1", "vulnerability", "ALPINE-CVE-2023-1", "", ""),
        ("openssl<3.0.8", "package", "openssl", "<", "3.0.8"),
        ("openssl<=1:3.0.8-1+deb12u1~rc1", "package", "openssl", "<=", "1:3.0.8-1+deb12u1~rc1"),
        ("flask@2.0.1", "package", "flask", "=", "2.0.1"),
        ("flask==2.0.1", "package", "flask", "=", "2.0.1"),
        ("@babel/core@7.1.0", "package", "@babel/core", "=", "7.1.0"),
        ("@babel/core", "package", "@babel/core", "", ""),
        ("redis", "package image container", "redis", "", ""),
        ("cart-1", "package image container", "cart-1", "", ""),
        ("shop/cart", "image package", "shop/cart", "", ""),
        ("shop/cart:1", "image", "shop/cart:1", "", ""),
        ("registry:5000/shop/cart", "image", "registry:5000/shop/cart", "", ""),
        (f"shop/cart@sha256:{HASH}", "image", f"shop/cart@sha256:{HASH}", "", ""),
        (HASH, "image file container", HASH, "", ""),
        (f"sha256:{HASH.upper()}", "image file", HASH, "", ""),
        ("sha256:abcdef012345", "image", "sha256:abcdef012345", "", ""),
        (f"file:{HASH}", "file", HASH, "", ""),
        ("package:redis", "package", "redis", "", ""),
        ("package:redis<7", "package", "redis", "<", "7"),
        ("image:file:latest", "image", "file:latest", "", ""),
        ("container: cart-1", "container", "cart-1", "", ""),
        ("vulnerability:ECHO-1", "vulnerability", "ECHO-1", "", ""),
    ],
)
def test_question_is_taken_apart(text: str, meanings: str, subject: str, operator: str, version: str) -> None:
    asked = parse_question(text)
    assert [meaning.value for meaning in asked.meanings] == meanings.split()
    assert (asked.subject, asked.operator, asked.version) == (subject, operator, version)


@pytest.mark.parametrize(
    "text",
    ["", "  ", "a<", "<1", "a<<1", "a b<1", "package:", "package:a@", "file:xyz", "a\x1b[31m", "x" * 513, "a=<1"],
)
def test_what_can_mean_nothing_is_one_error_with_a_way_on(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_question(text)
    assert caught.value.hint
    assert "\n" not in caught.value.what


@given(st.text(max_size=600))
def test_any_text_is_a_question_or_one_clear_error(text: str) -> None:
    try:
        asked = parse_question(text)
    except UsageError as refused:
        asked, error = None, refused.what
    else:
        error = ""
    assert "\n" not in error
    assert len(error) < 300
    if asked is not None:
        assert asked.meanings
        assert len(set(asked.meanings)) == len(asked.meanings)
        assert asked.subject
        assert bool(asked.operator) == bool(asked.version)


NAMES = st.from_regex(r"[a-z][a-z0-9.+-]{0,20}", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9][0-9A-Za-z.+~:-]{0,20}", fullmatch=True)


@given(NAMES, st.sampled_from(["<", "<=", "@"]), VERSIONS)
def test_package_and_version_come_back_as_they_were_written(name: str, sign: str, version: str) -> None:
    asked = parse_question(f"package:{name}{sign}{version}")
    assert asked.meanings == (Meaning.PACKAGE,)
    assert (asked.subject, asked.operator, asked.version) == (name, "=" if sign == "@" else sign, version)
