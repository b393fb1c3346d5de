import re
from itertools import pairwise

import pytest
from hypothesis import given

from pratique.policy import Admission, Allow, Api, Document, ImagePolicy, Permit, Unlisted, parse, render
from tests.unit.policy.strategies import documents


@given(documents())
def test_what_is_written_is_read_back(document: Document) -> None:
    assert parse(render(document).encode()) == document


def test_every_key_is_written_or_explained() -> None:
    text = render(Document())
    for struct in (Document, Admission, Api, Unlisted, ImagePolicy, Allow):
        for name in struct.__struct_fields__:
            assert re.search(rf"\b{name}:", text), name


def test_every_top_level_key_and_every_switch_has_a_comment_above_it() -> None:
    lines = render(Document()).splitlines()
    for above, line in pairwise(lines):
        if re.match(r"\w", line) and not line.startswith("version"):
            assert above.startswith("#"), line


def test_example_in_the_comment_is_valid() -> None:
    text = render(Document())
    example = [line.removeprefix("#") for line in text.splitlines() if re.match(r"#   ", line)]
    document = "images:\n" + "\n".join(example).replace("<64 hex digits>", "0" * 64)
    (entry,) = parse(document.encode()).images
    assert entry.allow[0].port == 6379


def test_lines_fit_a_terminal() -> None:
    assert all(len(line) <= 120 for line in render(Document()).splitlines())


@pytest.mark.parametrize(
    "name", ["no", "Yes", "null", "1:20", "12e3", "~", "- a", "a: b", "a #b", "'", '"', "", "é\u2028"]
)
def test_names_that_yaml_takes_for_something_else_are_quoted(name: str) -> None:
    document = Document(images=(ImagePolicy(name=name, ids=("sha256:" + "0" * 64,), permit=(Permit.DEVICES,)),))
    assert parse(render(document).encode()) == document


def test_half_a_surrogate_pair_is_replaced() -> None:
    document = Document(images=(ImagePolicy(name="a\udc80", ids=("sha256:" + "0" * 64,)),))
    assert parse(render(document).encode()).images[0].name == "a\ufffd"
