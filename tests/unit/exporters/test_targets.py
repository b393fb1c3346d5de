"""The document of who is told: what is refused, and that no secret is shown."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import PratiqueError
from pratique.exporters import parse_targets, read_targets
from pratique.exporters.targets import Target
from pratique.model import Severity

SECRET = "mailtos://user:p%40ss-word@example.com?to=ops%40example.com"


def test_document_is_read() -> None:
    text = b"""
version: 1
targets:
  - name: ops
    url: "json://127.0.0.1/hook"
    at_least: medium
    rules: ["drift.*", "!drift.library"]
    every_s: 60
  - {name: log, url: "syslog+unix:///dev/log"}
"""
    ops, log = parse_targets(text, "notify.yaml")
    assert (ops.at_least, ops.rules, ops.every_s) == (Severity.MEDIUM, ("drift.*", "!drift.library"), 60)
    assert log.is_syslog
    assert not ops.is_syslog


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ('{name: "a b", url: "json://x"}', "is not a name"),
        ('{name: a, url: "json://x"}, {name: a, url: "json://x"}', "target a is there twice"),
        ('{name: a, url: "nothing"}', "its url has no scheme"),
        ('{name: a, url: "json://x", every_s: 0}', "every_s is not between 1 and 86400"),
        ('{name: a, url: "json://x", title: "$nothing"}', "asks for $nothing; there are $count, $host"),
        ('{name: a, url: "json://x", line: "5 $"}', "write '$$' for a dollar"),
        ('{name: a, url: "syslog+icmp://x"}', "is not a syslog receiver"),
        ('{name: a, url: "syslog+udp://x:99999"}', "has a port that cannot be"),
        ('{name: a, url: "syslog+unix:"}', "names no receiver"),
        ('{name: a, url: "syslog+udp://x?facility=moon"}', "is not a syslog receiver"),
        ("{name: a}", "missing required field `url`"),
        ('{name: a, url: "json://x", colour: red}', "unknown field `colour`"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(target: str, told: str) -> None:
    with pytest.raises(PratiqueError) as error:
        parse_targets(f"targets: [{target}]".encode(), "notify.yaml")
    assert told in error.value.what
    assert error.value.what.startswith("notify.yaml")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    try:
        parse_targets(text, "notify.yaml")
    except PratiqueError:
        return


@pytest.mark.parametrize("broken", ["at_least: worst", "every_s: 0", "name: x"])
def test_no_error_shows_a_url(broken: str) -> None:
    with pytest.raises(PratiqueError) as error:
        parse_targets(f'targets: [{{name: a, url: "{SECRET}", {broken}}}]'.encode(), "notify.yaml")
    assert "p%40ss" not in str(error.value)
    assert "example" not in str(error.value)


@pytest.mark.parametrize(
    "document",
    [
        f'[{{name: "{SECRET}", url: "json://h"}}]',
        f'[{{name: a, "{SECRET}": 1}}]',
        f'[{{name: a, url: "json://h", at_least: "{SECRET}"}}]',
        f'[{{name: a, url: "json://h", title: "${{{SECRET}}}"}}]',
    ],
)
def test_no_error_shows_a_url_that_is_in_the_place_of_something_else(document: str) -> None:
    with pytest.raises(PratiqueError) as error:
        parse_targets(f"targets: {document}".encode(), "notify.yaml")
    assert "p%40ss" not in str(error.value)


def test_a_pipe_in_the_place_of_the_document_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "notify.yaml")
    with pytest.raises(PratiqueError, match="is not a file"):
        read_targets(tmp_path / "notify.yaml")


def test_secret_is_shown_nowhere() -> None:
    target = Target("ops", SECRET)
    assert repr(target) == "Target(name='ops', url='mailtos://…')"
    for text in (SECRET, "login user p@ss-word refused by example.com", "p%40ss-word", "ops%40example.com"):
        shown = target.redact(text)
        assert not {"p@ss-word", "p%40ss-word", "user", "example.com"} & set(shown.replace("?", " ").split()), shown
        assert "ss-word" not in shown
