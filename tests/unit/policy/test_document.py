from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import PolicyError
from pratique.policy import Document, parse, read
from pratique.policy.document import MAX_DOCUMENT_BYTES

ID = "sha256:" + "a" * 64


def test_short_document_is_the_default_one() -> None:
    assert parse(b"version: 1\n") == Document()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "Expected"),
        (b"- a", "Expected"),
        (b"\xff\xfe", "not a valid policy"),
        ("version: 1".encode("utf-16"), "utf-8"),
        (b"version: 2", "version 2"),
        (b"biulds: deny", "biulds"),
        (b"builds: maybe", "maybe"),
        (b"builds: deny\nbuilds: allow", "given twice, line 2"),
        (b"images:\n  - {name: a, name: b, ids: []}", "given twice, line 2"),
        (b"api: &x {exec: deny}", "anchors"),
        (b"images: [*x]", "aliases"),
        (b"<<: {builds: allow}", "merge"),
        (b"[" * 100_000, "deeper"),
        (b"{a: " * 100_000, "deeper"),
        (b"- " * 100_000, "deeper"),
        (b"images:\n  - !!python/object/apply:os.system [x]", "not a valid policy"),
        (b"version: 1\n---\nversion: 1", "single document"),
        (b"images: [{name: a, ids: []}]", "no ids"),
        (b"images: [{name: a, ids: [latest]}]", "not an image id"),
        (f"images: [{{name: a, ids: [{ID}, {ID}]}}]".encode(), "listed twice"),
        (f"images: [{{name: a, ids: [{ID}]}}, {{name: b, ids: [{ID}]}}]".encode(), "listed twice"),
        (b"unlisted: {allow: [{to: example.org}]}", "not an address"),
        (b"unlisted: {allow: [{to: 10.0.0.1/8}]}", "not an address"),
        (b"unlisted: {allow: [{to: 'fe80::1%eth0'}]}", "zone"),
        (b"unlisted: {allow: [{to: '::ffff:1.2.3.4'}]}", "IPv4"),
        (b"unlisted: {allow: [{to: 10.0.0.0/8, port: 70000, protocol: tcp}]}", "not between"),
        (b"unlisted: {allow: [{to: 10.0.0.0/8, port: 80}]}", "no protocol"),
        (b"admission: {scan_deadline_s: 0}", "scan_deadline_s"),
        (b"admission: {scan_deadline_s: .nan}", "scan_deadline_s"),
        (b"version: 1\n#" + b"x" * MAX_DOCUMENT_BYTES, "larger than"),
    ],
)  # fmt: skip
def test_bad_document_is_one_line_that_names_the_place(text: bytes, told: str) -> None:
    with pytest.raises(PolicyError, match=told) as caught:
        parse(text, name="p.yaml")
    assert caught.value.what.startswith("p.yaml")
    assert "\n" not in caught.value.what
    assert len(caught.value.what) < 500


def test_address_that_yaml_takes_for_a_number_is_told_how_to_write() -> None:
    with pytest.raises(PolicyError) as caught:
        parse(b"unlisted: {allow: [{to: 1:2:3:4:5:6:7:8}]}")
    assert "quotes" in caught.value.hint


@given(st.binary(max_size=200))
def test_any_bytes_give_a_document_or_a_policy_error(text: bytes) -> None:
    try:
        parse(text)
    except PolicyError as error:
        assert "\n" not in error.what  # noqa: PT017


@given(st.text(st.sampled_from("version: 1\nbuilds:deny[]{}&*-?!|>'\"#<, images"), max_size=80))
def test_anything_that_looks_like_yaml_gives_a_document_or_a_policy_error(text: str) -> None:
    try:
        parse(text.encode())
    except PolicyError as error:
        assert "\n" not in error.what  # noqa: PT017


def test_missing_file_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        read(tmp_path / "policy.yaml")
    assert "policy init" in caught.value.hint
    with pytest.raises(PolicyError):
        read(tmp_path)


def test_device_is_not_read() -> None:
    with pytest.raises(PolicyError, match="is not a file"):
        read(Path("/dev/zero"))


def test_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(PolicyError, match="larger than"):
        read(path)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{ when: exec.drfit, do: [capture] }", "'exec.drfit' names neither a detection rule nor a severity"),
        ("{ when: high, do: [] }", "'high' does nothing"),
        ("{ when: high, do: [explode] }", "not a valid policy"),
    ],
)
def test_response_that_cannot_be_is_told(line: str, complaint: str) -> None:
    with pytest.raises(PolicyError, match=complaint):
        parse(f"respond: [{line}]".encode())
