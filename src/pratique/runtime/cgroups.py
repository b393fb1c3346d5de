"""Where an engine puts its containers in the unified cgroup hierarchy. Source: kernel doc cgroup-v2, cgroups(7)."""

from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import Struct

from pratique.errors import HostError

MOUNTS: Final = Path("/proc/self/mounts")


class Hierarchy(StrEnum):
    """How this host mounts cgroups."""

    UNIFIED = "v2"
    HYBRID = "hybrid"
    """Controllers on version 1, and the unified hierarchy beside them."""
    LEGACY = "v1"
    """No unified hierarchy is mounted."""


class ContainerParent(Struct, frozen=True):
    """A cgroup below which the engine makes one cgroup for each container."""

    path: Path
    exclusive: bool
    """Everything below is a container (cgroupfs driver); otherwise only children with a container's name (systemd)."""


def unified_mount(mounts: Path = MOUNTS) -> tuple[Hierarchy, Path | None]:
    """Return how cgroups are mounted and where the unified hierarchy is."""
    unified: Path | None = None
    legacy = False
    for line in mounts.read_text().splitlines():
        _, point, kind, *_ = line.split(" ")
        if kind == "cgroup2" and unified is None:
            unified = Path(point)
        legacy = legacy or kind == "cgroup"
    if unified is None:
        return Hierarchy.LEGACY, None
    return (Hierarchy.HYBRID if legacy else Hierarchy.UNIFIED), unified


def container_parents(cgroup_driver: str, configured: str = "", mounts: Path = MOUNTS) -> list[ContainerParent]:
    """Return the parents of an engine's containers, making those that the engine has not made yet.

    :param cgroup_driver: the engine's, ``systemd`` or ``cgroupfs``
    :param configured: the engine's ``cgroup-parent``, or empty for its default
    :raises HostError: when there is no unified hierarchy
    """
    _, root = unified_mount(mounts)
    if root is None:
        msg = "no cgroup2 hierarchy is mounted, and without it the kernel cannot tell containers apart"
        raise HostError(msg, hint="mount one: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none $_")
    if cgroup_driver == "systemd":
        path, exclusive = _slice_path(configured or "system.slice"), bool(configured)
    else:
        path, exclusive = (configured or "docker").strip("/"), True
    parent = root / path
    if root.resolve() not in parent.resolve().parents:
        msg = f"cgroup parent {configured!r} is not below {root}"
        raise HostError(msg, hint="set cgroup_parent to the engine's own, for example /docker")
    parent.mkdir(parents=True, exist_ok=True)
    return [ContainerParent(path=parent, exclusive=exclusive)]


def _slice_path(name: str) -> str:
    """Return the path of a systemd slice: ``a-b.slice`` lies in ``a.slice`` (systemd.slice(5))."""
    parts = name.strip("/").removesuffix(".slice").split("-")
    return "/".join("-".join(parts[: count + 1]) + ".slice" for count in range(len(parts)))
