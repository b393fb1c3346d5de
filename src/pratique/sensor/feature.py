"""What a feature is: one blob, its links, and the meaning of its events.

One blob is loaded or refused as a whole, so each feature has its own and a kernel that lacks one still has the others.
Every blob that includes ``pratique/birth.h`` has its own ``pq_config``, ``pq_slots``, ``pq_bindings`` and
``pq_tickets``; the facade writes them in all features alike.
"""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar, Final, Protocol

from pratique.errors import KernelError
from pratique.model import KernelPolicy, SensorEvent
from pratique.sensor.blob import BlobHeader, Loaded, ProgramHeader
from pratique.sensor.kernel import AttachType, link_cgroup, link_tracepoint, link_tracing
from pratique.sensor.maps import Map

_WITHOUT_OPEN: Final = {"aarch64"}
"""Machines whose only system calls to open a file are ``openat`` and ``openat2``."""
_CGROUP_SECTIONS: Final = {
    "cgroup_skb/ingress": AttachType.CGROUP_INET_INGRESS,
    "cgroup_skb/egress": AttachType.CGROUP_INET_EGRESS,
    "cgroup/sock_create": AttachType.CGROUP_INET_SOCK_CREATE,
    "cgroup/connect4": AttachType.CGROUP_INET4_CONNECT,
    "cgroup/connect6": AttachType.CGROUP_INET6_CONNECT,
    "cgroup/sendmsg4": AttachType.CGROUP_UDP4_SENDMSG,
    "cgroup/sendmsg6": AttachType.CGROUP_UDP6_SENDMSG,
}


class Links(Protocol):
    """The links of a running feature, each with a name; pinned, so that they outlive this process."""

    def program(self, name: str) -> int:
        """Return the descriptor of a program."""
        ...

    def names(self) -> set[str]:
        """Return the names of the links there are."""
        ...

    def add(self, name: str, fd: int) -> None:
        """Keep a new link; its descriptor is this object's from now on."""
        ...

    def remove(self, name: str) -> None:
        """End a link, if it is there."""
        ...


class Feature:
    """A feature. Subclasses set the names and override what they need."""

    name: ClassVar[str]
    """The blob: ``objects/<name>.blob``; also the name in :attr:`Sensor.features` and the pins' directory."""
    rings: ClassVar[tuple[str, ...]]
    """The maps that are ring buffers."""

    def decode(self, record: bytes, offset: float) -> SensorEvent | None:
        """Return the event in a record, or None when it is not one of this feature's or is damaged.

        :param offset: what to add to the record's seconds (CLOCK_MONOTONIC) to get seconds since the epoch
        """
        raise NotImplementedError

    def attach(self, loaded: Loaded, header: BlobHeader, cgroups: Mapping[int, int]) -> dict[str, int]:
        """Attach every program by its section and return the links by name.

        :param cgroups: the cgroups to attach to: id → descriptor of the directory
        :raises KernelError: when one is refused
        """
        with all_or_none() as links:
            for program in header.programs:
                if platform.machine() in _WITHOUT_OPEN and program.section.endswith("_open"):
                    continue
                links.update(attach_program(loaded.programs[program.name], program, cgroups))
        return links

    def wait_on(self) -> list[int]:
        """Return further descriptors that are readable when :meth:`tend` has something to do."""
        return []

    def tend(self, links: "Links") -> None:
        """Attach to and let go of what comes and goes; called often, must not wait."""

    def close(self) -> None:
        """Give back what this feature itself opened."""

    def fill(self, maps: Mapping[str, Map], slots: Mapping[int, KernelPolicy]) -> None:
        """Write what new slots need beyond ``pq_slots``; nothing refers to them yet."""

    def clear(self, maps: Mapping[str, Map], slots: Sequence[int]) -> None:
        """Remove what :meth:`fill` wrote; nothing refers to the slots any more."""


@contextmanager
def all_or_none() -> Iterator[dict[str, int]]:
    """Give a dictionary for links; when one is refused, those that are in it already are ended."""
    links: dict[str, int] = {}
    try:
        yield links
    except KernelError:
        for fd in links.values():
            os.close(fd)
        raise


def attach_program(fd: int, program: ProgramHeader, cgroups: Mapping[int, int]) -> dict[str, int]:
    """Attach one program by its section: ``tp_btf/…``, ``tp/…/…`` or a cgroup hook. Return links by name."""
    kind, _, rest = program.section.partition("/")
    what = f"program {program.name} ({program.section})"
    if kind == "tp_btf":
        return {program.name: link_tracing(fd, what)}
    if kind in {"tp", "tracepoint"}:
        category, _, event = rest.partition("/")
        return {program.name: link_tracepoint(fd, category, event)}
    attach_type = _CGROUP_SECTIONS.get(program.section)
    if attach_type is None:
        msg = f"{what} cannot be attached: unknown section"
        raise KernelError(msg)
    return {
        f"{program.name}@{cgroup}": link_cgroup(fd, target, attach_type, what) for cgroup, target in cgroups.items()
    }
