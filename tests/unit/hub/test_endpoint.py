from contextlib import suppress
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from pratique.errors import UsageError
from pratique.hub.endpoint import ask_of_fields, ask_of_json
from pratique.model import Verdict


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    to: str
    port: int = 0


class Ask(Struct, frozen=True):
    id: str
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    verdict: tuple[Verdict, ...] = ()
    rules: Annotated[tuple[Rule, ...], Meta(max_length=2)] = ()
    removed: bool = False
    q: str = ""


PATH = {"id": "x"}


def test_text_becomes_what_the_fields_are() -> None:
    fields = [
        ("limit", "7"),
        ("verdict", "deny"),
        ("verdict", "allow"),
        ("rules", '{"to":"a","port":1}'),
        ("removed", "true"),
        ("q", "12"),
    ]
    assert ask_of_fields(Ask, fields, PATH) == Ask("x", 7, (Verdict.DENY, Verdict.ALLOW), (Rule("a", 1),), True, "12")


def test_an_empty_field_of_a_form_is_one_that_was_left_out() -> None:
    assert ask_of_fields(Ask, [("limit", ""), ("q", "")], PATH) == Ask("x")


@pytest.mark.parametrize(
    "fields",
    [
        [("limit", "0")],
        [("limit", "x")],
        [("limit", "1"), ("limit", "2")],
        [("unknown", "1")],
        [("id", "y")],
        [("verdict", "perhaps")],
        [("rules", "{")],
        [("rules", "[" * 10_000)],
        [("rules", '{"to":"a","more":1}')],
        [("rules", '{"to":"a"}')] * 3,
        [("q", "a\0b")],
        [("q", "a")] * 400,
    ],
)
def test_a_field_that_cannot_be_is_one_error(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(UsageError):
        ask_of_fields(Ask, fields, PATH)


@given(st.lists(st.tuples(st.sampled_from([*Ask.__struct_fields__, "other"]), st.text()), max_size=5))
def test_any_fields_give_a_value_or_one_error(fields: list[tuple[str, str]]) -> None:
    with suppress(UsageError):
        assert isinstance(ask_of_fields(Ask, fields, PATH), Ask)


@given(st.binary(max_size=200))
def test_any_body_gives_a_value_or_one_error(body: bytes) -> None:
    with suppress(UsageError):
        assert isinstance(ask_of_json(Ask, body, PATH), Ask)


def test_the_path_cannot_be_overridden() -> None:
    assert ask_of_json(Ask, b'{"id":"y"}', PATH) == Ask("x")
