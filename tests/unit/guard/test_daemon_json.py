"""The engine's configuration is edited without touching what is not ours."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.errors import InputError
from pratique.guard.daemon_json import KEY, plugins, with_plugin, without_plugin

PRETTY = '{\n    "debug": true,\n    "dns": [ "10.0.0.1" ]\n}\n'


def test_a_file_that_is_not_there_is_made() -> None:
    assert json.loads(with_plugin(None, "p")) == {KEY: ["p"]}
    assert json.loads(with_plugin(" \n", "p")) == {KEY: ["p"]}


def test_the_key_is_put_behind_the_last_with_the_same_indentation() -> None:
    expected = '{\n    "debug": true,\n    "dns": [ "10.0.0.1" ],\n    "authorization-plugins": ["p"]\n}\n'
    assert with_plugin(PRETTY, "p") == expected
    assert without_plugin(expected, "p") == PRETTY


def test_other_plugins_stay_and_are_asked_first() -> None:
    text = '{"authorization-plugins" : [ "opa" ] , "debug":true}'
    assert plugins(with_plugin(text, "p")) == ["opa", "p"]
    assert plugins(without_plugin(with_plugin(text, "p"), "p")) == ["opa"]


def test_what_is_there_already_is_not_changed() -> None:
    text = '{"authorization-plugins":["p"]}'
    assert with_plugin(text, "p") == text
    assert without_plugin(PRETTY, "p") == PRETTY


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ('{"authorization-plugins":["p"],"debug":true}', {"debug": True}),
        ('{"debug":true,"authorization-plugins":["p"]}', {"debug": True}),
        ('{"a":1,"authorization-plugins":["p"],"b":2}', {"a": 1, "b": 2}),
        ('{"authorization-plugins":["p"]}', {}),
    ],
)
def test_the_key_is_taken_out_wherever_it_stands(text: str, rest: dict[str, Any]) -> None:
    assert json.loads(without_plugin(text, "p")) == rest


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"a":1,}',
        "{} x",
        '{"authorization-plugins":"p"}',
        '{"authorization-plugins":[1]}',
        '{"authorization-plugins":["a"],"authorization-plugins":["b"]}',
        "{'a':1}",
        "[" * 100_000,
    ],
)
def test_a_file_that_the_engine_would_not_take_is_an_error(text: str) -> None:
    with pytest.raises(InputError):
        with_plugin(text, "p")
    with pytest.raises(InputError):
        without_plugin(text, "p")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_DOCUMENTS = st.dictionaries(st.text(max_size=6), _VALUES, max_size=4)


@given(_DOCUMENTS, st.sampled_from([None, 1, 4]), st.booleans(), st.lists(st.sampled_from("xyz"), unique=True))
@settings(deadline=None)
def test_every_document_survives_the_plugins_coming_and_going(
    document: dict[str, Any], indent: int | None, ascii_only: bool, others: list[str]
) -> None:
    if others:
        document = {**document, KEY: others}
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    added = with_plugin(text, "pratique")
    assert json.loads(added) == {**document, KEY: [*others, "pratique"]}
    assert json.loads(without_plugin(added, "pratique")) == document
