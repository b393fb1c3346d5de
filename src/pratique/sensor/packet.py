"""Sockets below IP: features ``packet-socket`` (the system call) and ``packet-link`` (the frames).

``packet-link`` sits on the host's end of each container's veth pair and on bridges, and follows them as they come and
go.
"""

import contextlib
import errno
import socket
import struct
from collections.abc import Mapping
from typing import ClassVar, Final

from pratique.errors import KernelError
from pratique.model import PacketSocketEvent
from pratique.sensor.blob import BlobHeader, Loaded
from pratique.sensor.feature import Feature, Links, all_or_none, attach_program
from pratique.sensor.kernel import AttachType, Command, attempt, attributes, link_tcx
from pratique.sensor.netlink import LinkWatch
from pratique.sensor.wire import EventKind

_RECORD: Final = struct.Struct("=QQIIII16s")
"""``struct pq_packet_socket_event``"""
_FRAME_PROGRAM: Final = "judge_frame"
_LINK_PREFIX: Final = "frames-"
_NO_INTERFACE: Final = 0x7FFFFFFF


class PacketSocket(Feature):
    """The system call ``socket`` with a family that the hooks of IP do not see."""

    name: ClassVar[str] = "packet-socket"
    rings: ClassVar[tuple[str, ...]] = ("pq_packets",)

    def decode(self, record: bytes, offset: float) -> PacketSocketEvent | None:
        """Return the request in a record."""
        return decode_packet_socket(record, offset)


class PacketLink(PacketSocket):
    """Frames of containers that did not come down through IP, where they reach the host. Needs tcx: kernel 6.6.

    It sees the interfaces of the network namespace in which it is made, which has to be the engine's.
    """

    name: ClassVar[str] = "packet-link"

    def __init__(self) -> None:
        self._watch: LinkWatch | None = None
        self._adopted = True

    def attach(self, loaded: Loaded, header: BlobHeader, cgroups: Mapping[int, int]) -> dict[str, int]:
        """Attach to every interface that is there, and begin to watch for more."""
        frames = loaded.programs[_FRAME_PROGRAM]
        _demand_tcx(frames)
        with all_or_none() as links:
            for program in header.programs:
                if program.name != _FRAME_PROGRAM:
                    links.update(attach_program(loaded.programs[program.name], program, cgroups))
            self._adopted = False
            for change in self._interfaces().read():
                if change.present and _link_name(change.index) not in links:
                    links.update(_attach_to(frames, change.index))
        return links

    def wait_on(self) -> list[int]:
        """Return the descriptor that tells of interfaces."""
        return [self._interfaces().fileno()]

    def tend(self, links: Links) -> None:
        """Attach to new interfaces and drop what is left of those that are gone.

        :raises KernelError: when the kernel refuses an interface that is there
        """
        stale = {name for name in links.names() if name.startswith(_LINK_PREFIX)} if self._adopted else set()
        self._adopted = False
        for change in self._interfaces().read():
            name = _link_name(change.index)
            stale.discard(name)
            if not change.present:
                links.remove(name)
            elif name not in links.names():
                for fd in _attach_to(links.program(_FRAME_PROGRAM), change.index).values():
                    links.add(name, fd)
        for name in stale:
            links.remove(name)

    def close(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _interfaces(self) -> LinkWatch:
        if self._watch is None:
            self._watch = LinkWatch()
        return self._watch


def _link_name(index: int) -> str:
    return f"{_LINK_PREFIX}{index}"


def _attach_to(program: int, index: int) -> dict[str, int]:
    """Return the new link by name, or nothing when the interface has gone again."""
    try:
        return {_link_name(index): link_tcx(program, index, AttachType.TCX_INGRESS, f"to interface {index}")}
    except KernelError:
        with contextlib.suppress(OSError):
            socket.if_indextoname(index)
            raise
        return {}


def _demand_tcx(program: int) -> None:
    """Ask for a link to an interface that cannot be: only a kernel with tcx notices that."""
    request = attributes("IIIIIIQ", program, _NO_INTERFACE, AttachType.TCX_INGRESS, 0, 0, 0, 0)
    if attempt(Command.LINK_CREATE, request)[1] != errno.ENODEV:
        msg = "kernel cannot attach programs to network interfaces by tcx"
        raise KernelError(msg, hint="kernel 6.6 has it; until then start containers with --cap-drop NET_RAW")


def decode_packet_socket(record: bytes, offset: float) -> PacketSocketEvent | None:
    """Return the event in a record, or None when it is none.

    :param offset: see :meth:`pratique.sensor.feature.Feature.decode`
    """
    if len(record) < _RECORD.size:
        return None
    at, cgroup, kind, pid, family, stopped, command = _RECORD.unpack_from(record)
    if kind != EventKind.PACKET_SOCKET:
        return None
    return PacketSocketEvent(
        at=at / 1e9 + offset,
        cgroup=cgroup,
        pid=pid,
        family=family,
        command=command.split(b"\0", 1)[0].decode(errors="backslashreplace"),
        killed=bool(stopped),
    )
