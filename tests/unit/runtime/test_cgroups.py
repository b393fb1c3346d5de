from pathlib import Path

import pytest

from pratique.errors import HostError
from pratique.runtime import Hierarchy, container_parents, unified_mount


def mounts(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "mounts"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def test_a_unified_hierarchy_alone_is_version_2(tmp_path: Path) -> None:
    file = mounts(tmp_path, "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0")
    assert unified_mount(file) == (Hierarchy.UNIFIED, Path("/sys/fs/cgroup"))


def test_a_unified_hierarchy_beside_controllers_of_version_1_is_hybrid(tmp_path: Path) -> None:
    file = mounts(
        tmp_path,
        "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0",
        "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0",
    )
    assert unified_mount(file) == (Hierarchy.HYBRID, Path("/sys/fs/cgroup/unified"))


def test_without_a_unified_hierarchy_there_is_an_error_that_tells_how_to_mount_one(tmp_path: Path) -> None:
    file = mounts(tmp_path, "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0")
    with pytest.raises(HostError) as caught:
        container_parents("cgroupfs", mounts=file)
    assert "mount -t cgroup2" in caught.value.hint


@pytest.mark.parametrize(
    ("driver", "configured", "path", "exclusive"),
    [
        ("cgroupfs", "", "docker", True),
        ("cgroupfs", "/shop", "shop", True),
        ("systemd", "", "system.slice", False),
        ("systemd", "pratique.slice", "pratique.slice", True),
        ("systemd", "a-b.slice", "a.slice/a-b.slice", True),
    ],
)
def test_the_parent_of_the_containers_is_where_the_engines_driver_puts_them(
    tmp_path: Path, driver: str, configured: str, path: str, exclusive: bool
) -> None:
    root = tmp_path / "cgroup"
    root.mkdir()
    (parent,) = container_parents(driver, configured, mounts(tmp_path, f"cgroup2 {root} cgroup2 rw 0 0"))
    assert parent.path == root / path
    assert parent.exclusive is exclusive
    assert parent.path.is_dir()


@pytest.mark.parametrize("configured", ["/../outside", "..", "/"])
def test_a_parent_that_is_not_below_the_hierarchy_is_refused(tmp_path: Path, configured: str) -> None:
    root = tmp_path / "cgroup"
    root.mkdir()
    with pytest.raises(HostError):
        container_parents("cgroupfs", configured, mounts(tmp_path, f"cgroup2 {root} cgroup2 rw 0 0"))
    assert not (tmp_path / "outside").exists()
