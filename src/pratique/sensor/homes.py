"""The file systems of containers that were there before the sensor, for map ``pq_homes`` (``struct pq_home``).

Those that start later are noted by the kernel when the engine starts their first program.
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pratique.sensor.maps import Map
from pratique.sensor.wire import CGROUP

HOME: Final = struct.Struct("=II")
"""``struct pq_home``: device, user_namespace"""
_MINOR_BITS: Final = 20
_NS_GET_USERNS: Final = 0xB701
_MAX_CGROUPS: Final = 65536


def note_homes(homes: Map, parent: int) -> None:
    """Write the home of everything that is in a cgroup now; what is noted already stays.

    :param parent: descriptor of the directory of a cgroup in which containers are put
    """
    for directory in _below(Path(f"/proc/self/fd/{parent}")):
        home = _home(directory)
        if home is not None:
            homes.set(CGROUP.pack(directory.stat().st_ino), home, exclusive=True)


def _below(parent: Path) -> Iterator[Path]:
    """Yield the cgroups below a parent, whatever they are: what is no container is never looked up."""
    for directory, _ in zip(parent.glob("*/**/"), range(_MAX_CGROUPS), strict=False):
        yield directory


def _home(cgroup: Path) -> bytes | None:
    """Return the home of the oldest process in a cgroup or below it, or None when there is no process.

    A process that still has our own root is one of the engine's, about to become a container's.
    """
    own = Path("/").stat().st_dev
    for pid in _processes(cgroup):
        try:
            device = Path(f"/proc/{pid}/root/").stat().st_dev
            if device == own:
                continue
            return HOME.pack(os.major(device) << _MINOR_BITS | os.minor(device), _owner_of_mounts(pid))
        except OSError:
            continue  # ended meanwhile
    return None


def _processes(cgroup: Path) -> list[int]:
    found: set[int] = set()
    for file in cgroup.glob("**/cgroup.procs"):
        try:
            found.update(int(line) for line in file.read_text().split())
        except OSError:
            continue
    return sorted(found)


def _owner_of_mounts(pid: int) -> int:
    """Return the inode number of the user namespace that owns a process's mount namespace: ioctl_ns(2)."""
    mounts = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    try:
        owner = fcntl.ioctl(mounts, _NS_GET_USERNS)
        try:
            return os.fstat(owner).st_ino
        finally:
            os.close(owner)
    finally:
        os.close(mounts)
