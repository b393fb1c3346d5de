"""Which directories of a parent cgroup are containers and build steps."""

from pathlib import Path

import pytest

from pratique.sensor.cgroups import Child, Parent, ParentKind, children, tops
from pratique.sensor.wire import BindingKind

ID = "0123456789abcdef" * 4
STEP = "q1w2e3r4t5y6u7i8o9p0a1s2d"


@pytest.mark.parametrize(
    ("name", "kind", "shown"),
    [
        (ID, BindingKind.CONTAINER, ID),
        (f"docker-{ID}.scope", BindingKind.CONTAINER, ID),
        (f"system.slice:docker:{STEP}", BindingKind.BUILD, f"system.slice:docker:{STEP}"),
        (f"moby-buildkit-{STEP}", BindingKind.BUILD, f"moby-buildkit-{STEP}"),
        ("buildkit", BindingKind.GROUP, "buildkit"),
    ],
)
@pytest.mark.parametrize("parent_kind", ParentKind)
def test_name_tells_what_a_child_is(
    tmp_path: Path, parent_kind: ParentKind, name: str, kind: BindingKind, shown: str
) -> None:
    (tmp_path / name).mkdir()
    expected = Child(cgroup=(tmp_path / name).stat().st_ino, kind=kind, name=shown)
    assert children(Parent(tmp_path, parent_kind)) == [expected]


@pytest.mark.parametrize("name", ["nginx.service", f"x{ID}", f"docker-{ID}.scopes", ID[:-1], ID.upper()])
def test_other_name_is_a_child_only_where_all_are(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert children(Parent(tmp_path, ParentKind.NAMED)) == []
    assert [child.kind for child in children(Parent(tmp_path, ParentKind.ALL))] == [BindingKind.OTHER]


def test_steps_are_found_below_their_directory_and_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "buildkit" / STEP / "deeper").mkdir(parents=True)
    (tmp_path / "cgroup.procs").touch()
    kinds = {child.name: child.kind for child in children(Parent(tmp_path, ParentKind.NAMED))}
    assert kinds == {"buildkit": BindingKind.GROUP, STEP: BindingKind.BUILD}


def test_parent_that_is_gone_has_no_children(tmp_path: Path) -> None:
    assert children(Parent(tmp_path / "gone", ParentKind.ALL)) == []


def test_parent_below_another_needs_no_programs_of_its_own(tmp_path: Path) -> None:
    root, slice_, other = (Parent(tmp_path / part, ParentKind.NAMED) for part in ("a", "a/b", "ab"))
    assert tops([slice_, root, other]) == [root, other]
