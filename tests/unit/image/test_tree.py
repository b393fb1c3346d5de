"""Layers merge as a container would see them; nothing that an engine would run is hidden."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import ImageError
from pratique.image import Kind, Options, Tree
from pratique.image.tar import Header


def file(path: str, size: int = 1) -> Header:
    return Header(path, Kind.FILE, 0o644, 0, 0, size, 0)


def folder(path: str, mode: int = 0o755) -> Header:
    return Header(path, Kind.DIRECTORY, mode, 0, 0, 0, 0)


def link(path: str, target: str, kind: Kind = Kind.SYMLINK) -> Header:
    return Header(path, kind, 0o777, 0, 0, 0, 0, target=target)


def merged(*layers: list[Header], options: Options | None = None) -> Tree:
    tree = Tree(options or Options())
    for number, headers in enumerate(layers):
        tree.apply(number, headers)
    return tree


def paths(tree: Tree) -> set[str]:
    return {node.path for node in tree.nodes() if node.kind is not Kind.DIRECTORY}


def test_upper_file_replaces_lower_file() -> None:
    node = merged([file("a", 1)], [file("a", 2)]).find("a")
    assert node is not None
    assert (node.size, node.layer) == (2, 1)


def test_whiteout_hides_file_of_lower_layer() -> None:
    assert paths(merged([file("d/a"), file("d/b")], [file("d/.wh.a")])) == {"d/b"}


def test_whiteout_hides_directory_of_lower_layer() -> None:
    assert paths(merged([file("d/e/a"), file("f")], [file(".wh.d")])) == {"f"}


@pytest.mark.parametrize("first", [True, False])
def test_whiteout_never_hides_what_its_own_layer_brings(first: bool) -> None:
    upper = [file("d/.wh.a"), file("d/a", 2)]
    assert paths(merged([file("d/a")], upper if first else upper[::-1])) == {"d/a"}


@pytest.mark.parametrize("first", [True, False])
def test_opaque_directory_hides_lower_children_only(first: bool) -> None:
    upper = [folder("d"), file("d/.wh..wh..opq"), file("d/e/new")]
    assert paths(merged([file("d/a"), file("d/e/old")], upper if first else upper[::-1])) == {"d/e/new"}


def test_directory_replaced_by_file_loses_its_children() -> None:
    assert paths(merged([file("d/a"), file("d/b/c")], [file("d")])) == {"d"}


def test_directory_replaced_by_symlink_loses_its_children() -> None:
    tree = merged([file("d/a"), file("e/b")], [link("d", "e")])
    assert paths(tree) == {"d", "e/b"}
    node = tree.find("d/b")
    assert node is not None
    assert node.path == "e/b"


def test_file_replaced_by_directory_gains_children() -> None:
    assert paths(merged([file("d")], [folder("d"), file("d/a")])) == {"d/a"}


def test_directory_named_again_keeps_its_children_and_takes_the_new_mode() -> None:
    tree = merged([folder("d"), file("d/a")], [folder("d", 0o700)])
    node = tree.find("d")
    assert node is not None
    assert node.mode == 0o700
    assert paths(tree) == {"d/a"}


def test_entry_below_a_symlink_of_a_lower_layer_hides_nothing() -> None:
    lower = [file("usr/lib/evil"), link("lib", "usr/lib")]
    assert paths(merged(lower, [file("lib/.wh.evil")])) == {"usr/lib/evil", "lib"}
    assert paths(merged(lower, [file("lib/evil", 2)])) == {"usr/lib/evil", "lib/evil"}


def test_hard_link_shares_data_of_its_target_even_when_that_is_gone() -> None:
    tree = merged([file("a", 7)], [link("b", "a", Kind.HARDLINK)], [file(".wh.a")])
    node = tree.find("b")
    assert node is not None
    assert (node.kind, node.size, node.data_layer, node.layer) == (Kind.FILE, 7, 0, 1)
    assert paths(tree) == {"b"}


def test_hard_link_to_a_symlink_is_that_symlink() -> None:
    tree = merged([file("a"), link("s", "a"), link("h", "s", Kind.HARDLINK)])
    assert [node.kind for node in tree.nodes() if node.path == "h"] == [Kind.SYMLINK]


@pytest.mark.parametrize("target", ["nothing", "d", "../../etc/shadow", ""])
def test_hard_link_to_nothing_is_unread(target: str) -> None:
    tree = merged([folder("d"), link("h", target, Kind.HARDLINK)])
    assert [unread.path for unread in tree.unread] == ["h"]


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/../x", "a/b/../../../x"])
def test_path_that_leads_out_is_unread(path: str) -> None:
    tree = merged([file(path), file("kept")])
    assert paths(tree) == {"kept"}
    assert [(unread.path, unread.reason) for unread in tree.unread] == [(path, "path leads out of the image")]


@pytest.mark.parametrize("path", ["/etc/x", "./etc/x", "etc//x", "etc/./x", "a/../etc/x", "//etc/x/."])
def test_path_is_cleaned_and_stays_below_the_root(path: str) -> None:
    assert paths(merged([file(path)])) == {"etc/x"}


def test_path_too_long_or_too_deep_is_unread() -> None:
    options = Options(max_path_depth=4, max_path_bytes=20)
    tree = merged([file("a/b/c/d/e"), file("x" * 21), file("é" * 11), file("a\0b")], options=options)
    assert paths(tree) == set()
    assert len(tree.unread) == 4


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh..."])
def test_whiteout_of_its_own_directory_is_unread_and_removes_nothing(name: str) -> None:
    tree = merged([file("d/a")], [file(f"d/{name}")])
    assert paths(tree) == {"d/a"}
    assert len(tree.unread) == 1


def test_whiteout_below_a_file_or_nothing_does_nothing() -> None:
    assert paths(merged([file("a")], [file("a/.wh.b"), file("x/y/.wh.z")])) == {"a"}


def test_file_below_a_directory_named_like_a_whiteout_is_seen() -> None:
    assert paths(merged([file(".wh..wh.plnk/evil")])) == {".wh..wh.plnk/evil"}


def test_attribute_of_overlayfs_is_unread() -> None:
    header = Header("d", Kind.DIRECTORY, 0o755, 0, 0, 0, 0, xattrs=("trusted.overlay.redirect",))
    assert "overlayfs" in merged([header]).unread[0].reason


def test_unknown_kind_of_entry_is_unread() -> None:
    assert len(merged([Header("d", Kind.UNKNOWN, 0, 0, 0, 0, 0)]).unread) == 1


def test_device_is_in_the_tree_and_is_no_file() -> None:
    node = merged([Header("dev/sda", Kind.DEVICE, 0o660, 0, 0, 0, 0)]).find("dev/sda")
    assert node is not None
    assert node.kind is Kind.DEVICE


def test_complaints_are_bounded() -> None:
    assert len(merged([file("../x")] * 50, options=Options(max_unread=10)).unread) == 10


def test_symlink_loops_and_chains_end() -> None:
    chain = [link(f"s{number}", f"s{number + 1}") for number in range(50)]
    tree = merged([link("a", "b"), link("b", "a"), link("c", "c/c/c"), link("d", "."), *chain, file("s50")])
    assert tree.find("a") is tree.find("c") is tree.find("c/x") is tree.find("s0") is None
    assert tree.find("s20") is tree.find("s50") is not None
    assert tree.find("d/d/d") is tree.root


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../etc/passwd", "../etc/passwd"])
def test_symlink_is_followed_inside_the_root_only(target: str) -> None:
    node = merged([file("etc/passwd", 9), link("d/link", target)]).find("d/link")
    assert node is not None
    assert node.path == "etc/passwd"


NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
ENTRIES = st.one_of(
    st.builds(file, PATHS, st.integers(1, 99)),
    st.builds(folder, PATHS),
    st.builds(lambda p: file("/".join([*p.split("/")[:-1], ".wh." + p.split("/")[-1]])), PATHS),
    st.builds(lambda p: file(p + "/.wh..wh..opq"), PATHS),
)


def model(layers: list[list[Header]]) -> dict[str, int]:
    """A naive merge: a dictionary of paths; a directory is -1."""
    found: dict[str, tuple[int, int]] = {}
    for number, headers in enumerate(layers):
        for header in headers:
            parent, _, name = header.path.rpartition("/")
            if name.startswith(".wh."):
                blocked = any(found.get(up, (0, -1))[1] >= 0 for up in [*above(header.path)] if up in found)
                if not blocked:
                    hide(found, parent if name == ".wh..wh..opq" else header.path.replace(".wh.", ""), name, number)
                continue
            for up in above(header.path):
                if found.get(up, (0, 0))[1] >= 0:
                    found[up] = (number, -1)
            size = header.size if header.kind is Kind.FILE else -1
            if size >= 0:
                for path in [path for path in found if path.startswith(header.path + "/")]:
                    del found[path]
            found[header.path] = (number, size)
    return {path: size for path, (_, size) in found.items()}


def above(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:depth]) for depth in range(1, len(parts)))


def hide(found: dict[str, tuple[int, int]], path: str, name: str, number: int) -> None:
    inside = [p for p in found if p.startswith(path + "/") or (p == path and name != ".wh..wh..opq")]
    lower = [p for p in inside if found[p][0] < number]
    kept = [p for p in inside if found[p][0] == number]
    for p in lower:
        if not any(k.startswith(p + "/") for k in kept):
            del found[p]


@given(st.lists(st.lists(ENTRIES, max_size=6), min_size=1, max_size=4))
def test_merge_agrees_with_a_naive_model(layers: list[list[Header]]) -> None:
    tree = merged(*layers)
    assert {node.path: -1 if node.children is not None else node.size for node in tree.nodes()} == model(layers)
    for node in tree.nodes():
        assert tree.find(node.path) is node


@given(st.lists(st.tuples(st.text("ab/.", max_size=12), st.sampled_from(list(Kind)), st.text("ab/.", max_size=9))))
def test_any_headers_merge_without_an_exception(entries: list[tuple[str, Kind, str]]) -> None:
    tree = merged([Header(path, kind, 0, 0, 0, 0, 0, target=target) for path, kind, target in entries])
    for node in tree.nodes():
        assert not node.path.startswith("/")
        assert ".." not in node.path.split("/")
        tree.find(node.path + "/../" + node.target)


def test_directories_that_no_entry_names_count_as_well() -> None:
    deep = "/".join(["d"] * 100)
    options = Options(max_tree_bytes=1 << 20)
    merged([file(f"{deep}/{number}") for number in range(100)], options=options)
    with pytest.raises(ImageError, match="bytes of memory"):
        merged([file(f"{number}/{deep}") for number in range(100)], options=options)


def test_sparse_maps_count_as_well() -> None:
    segments = tuple((offset, 0) for offset in range(1000))
    headers = [Header(str(number), Kind.FILE, 0o644, 0, 0, 2000, 0, segments=segments) for number in range(100)]
    with pytest.raises(ImageError, match="bytes of memory"):
        merged(headers, options=Options(max_tree_bytes=1 << 20))


def test_link_to_a_path_that_no_kernel_takes_is_unread() -> None:
    tree = merged([link("a", "t" * 5000), file("b")])
    assert paths(tree) == {"b"}
    assert [unread.path for unread in tree.unread] == ["a"]


def test_lookup_through_symlinks_to_long_paths_ends() -> None:
    headers = [link(f"l{number}", f"{'./' * 1900}l{number + 1}") for number in range(39)]
    tree = merged([*headers, file("l39"), file("f")])
    assert tree.find("l0") is None
    assert tree.find("l39") is not None


def test_second_opaque_mark_of_a_layer_hides_no_more() -> None:
    upper = [file("d/.wh..wh..opq"), file("d/new"), file("d/.wh..wh..opq"), file(".wh.d")]
    assert paths(merged([file("d/a")], upper)) == {"d/new"}
    assert paths(merged([file("d/a")], upper, [file("d/.wh..wh..opq")])) == set()
