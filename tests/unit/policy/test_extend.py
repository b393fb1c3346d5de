import pytest

from pratique.policy import Document, ImagePolicy, add_id, parse, remove_id, render

OLD, NEW, OTHER = (f"sha256:{digit * 64}" for digit in "abc")
BLOCK = f"""\
# by hand
images:
  - name: shop   # the shop
    ids:
      - {OLD}   # from March
    allow: []
  - name: other
    ids: [{OTHER}]
"""
ROW = f"images:\n  - {{ name: shop, ids: ['{OLD}'] }} # by hand\n"


@pytest.mark.parametrize("text", [BLOCK, ROW, render(Document(images=(ImagePolicy(name="shop", ids=(OLD,)),)))])
def test_new_id_is_added_beside_the_old_one_and_nothing_else_changes(text: str) -> None:
    extended = add_id(text.encode(), OLD, NEW)
    entry = parse(extended).image(NEW)
    assert entry is not None
    assert entry.ids == (OLD, NEW)
    assert extended.count(b"# by hand") == text.count("# by hand")
    assert parse(remove_id(extended, NEW)) == parse(text.encode())
    assert remove_id(extended, NEW).decode() == text


def test_layout_that_cannot_be_kept_is_written_anew() -> None:
    text = f'images: [{{name: shop, "ids": ["\\x73ha256:{"a" * 64}"]}}]'
    entry = parse(add_id(text.encode(), OLD, NEW)).image(NEW)
    assert entry is not None
    assert entry.name == "shop"


def test_an_id_that_is_listed_already_or_nowhere_changes_nothing() -> None:
    assert add_id(BLOCK.encode(), OLD, OTHER) == BLOCK.encode()
    assert add_id(BLOCK.encode(), NEW, f"sha256:{'d' * 64}") == BLOCK.encode()
    assert remove_id(BLOCK.encode(), NEW) == BLOCK.encode()


def test_the_only_id_of_an_entry_stays() -> None:
    assert remove_id(BLOCK.encode(), OLD) == BLOCK.encode()
