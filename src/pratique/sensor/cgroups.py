"""Control groups: where containers are put, which are there, and what they are called. Version 2 hierarchies only."""

import os
import re
import socket
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import Struct

from pratique.errors import KernelError
from pratique.sensor.wire import BindingKind, KernelParent

_MOUNTS: Final = Path("/proc/self/mountinfo")
_CONTAINER: Final = re.compile(r"(?:docker-)?([0-9a-f]{64})(?:\.scope)?")
_BUILD: Final = re.compile(r".*(?:buildkit|:docker:).*")
_SO_NETNS_COOKIE: Final = 71
_MAX_CHILDREN: Final = 65536


class ParentKind(StrEnum):
    """What the children of a parent cgroup are."""

    ALL = "all"
    """Containers and build steps, whatever they are called (the cgroupfs driver's ``/docker``)."""
    NAMED = "named"
    """Containers and build steps where the name says so; other services are left alone (``/system.slice``)."""


class Parent(Struct, frozen=True):
    """A cgroup in which an engine puts containers. ``path`` is its directory; it is made where it is missing."""

    path: Path
    kind: ParentKind


class Child(Struct, frozen=True):
    """A container, a build step or something else in a parent cgroup."""

    cgroup: int
    kind: BindingKind
    name: str


def resolve(parent: Parent) -> KernelParent:
    """Return what the kernel needs to know of a parent, and make its directory where it is missing.

    :raises KernelError: when the path is not in a cgroup v2 hierarchy
    """
    root = _hierarchy_of(parent.path)
    try:
        parent.path.mkdir(parents=True, exist_ok=True)
        cgroup = parent.path.stat().st_ino
    except OSError as error:
        msg = f"cgroup {parent.path} cannot be used: {error.strerror}"
        raise KernelError(msg) from error
    level = len(parent.path.relative_to(root).parts)
    return KernelParent(cgroup=cgroup, level=level, named=parent.kind is ParentKind.NAMED)


def tops(parents: list[Parent]) -> list[Parent]:
    """Return the parents that are not below another: programs attached there run for the others too."""
    return [
        parent
        for parent in parents
        if not any(other.path != parent.path and parent.path.is_relative_to(other.path) for other in parents)
    ]


def children(parent: Parent) -> list[Child]:
    """Return what is in a parent now, including the build steps one level below."""
    found: list[Child] = []
    for entry in _directories(parent.path):
        child = _describe(entry, parent.kind)
        if child is None:
            continue
        found.append(child)
        if child.kind is BindingKind.GROUP:
            found.extend(
                Child(cgroup=step.inode(), kind=BindingKind.BUILD, name=step.name) for step in _directories(entry.path)
            )
    return found


def host_netns_cookie() -> int:
    """Return the cookie of the network namespace that this process is in (kernel 5.14); 0 on older kernels."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            return int.from_bytes(probe.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), "little")
        except OSError:
            return 0


def _describe(entry: os.DirEntry[str], kind: ParentKind) -> Child | None:
    container = _CONTAINER.fullmatch(entry.name)
    if container:
        return Child(cgroup=entry.inode(), kind=BindingKind.CONTAINER, name=container[1])
    if entry.name == "buildkit":
        return Child(cgroup=entry.inode(), kind=BindingKind.GROUP, name=entry.name)
    if _BUILD.fullmatch(entry.name):
        return Child(cgroup=entry.inode(), kind=BindingKind.BUILD, name=entry.name)
    if kind is ParentKind.ALL:
        return Child(cgroup=entry.inode(), kind=BindingKind.OTHER, name=entry.name)
    return None


def _directories(path: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return [entry for entry, _ in zip(entries, range(_MAX_CHILDREN), strict=False) if entry.is_dir()]
    except OSError:
        return []  # gone since


def _hierarchy_of(path: Path) -> Path:
    """Return the mount point of the cgroup v2 hierarchy that a path is in."""
    best: Path | None = None
    for line in _MOUNTS.read_text().splitlines():
        fields = line.split(" ")
        if fields[fields.index("-") + 1] != "cgroup2":
            continue
        mount = Path(fields[4])
        if path.is_relative_to(mount) and (best is None or len(mount.parts) > len(best.parts)):
            best = mount
    if best is None:
        msg = f"cgroup {path} is not in a version 2 hierarchy"
        raise KernelError(msg, hint="mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified")
    return best
