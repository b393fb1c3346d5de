"""What strangers wrote comes back from a form as it was."""

import html
import string

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pratique.hub.pages import Pages
from pratique.policy import Allow

TEMPLATE = '<input value="{{ rule|json }}">'


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]) | st.sampled_from(string.punctuation + "\x7f\xad\x9b"))
)
def test_a_rule_comes_back_from_a_form_as_it_was(note: str) -> None:
    rule = Allow(to="10.0.0.1", note=note)
    environment = Pages("host")._environment
    page = environment.from_string(TEMPLATE).render(rule=rule)
    value = html.unescape(page.removeprefix('<input value="').removesuffix('">'))
    assert value.isprintable()
    assert msgspec.json.decode(value, type=Allow) == rule
