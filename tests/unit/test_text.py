from hypothesis import given
from hypothesis import strategies as st

from pratique.text import printable


def test_plain_text_stays_as_it_is() -> None:
    assert printable("plain é 漢") == "plain é 漢"


def test_what_steers_a_terminal_is_escaped() -> None:
    assert printable("\x1b[31mred\n") == "\\x1b[31mred\\n"
    assert printable("right\u202eto left") == "right\\u202eto left"


def test_bytes_that_are_no_utf_8_are_shown_as_bytes() -> None:
    assert printable(b"a\xffb".decode(errors="surrogateescape")) == "a\\xffb"


@given(st.text(st.characters(codec=None)))
def test_anything_becomes_text_that_prints_and_encodes(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    shown.encode()
