"""What the sensor tells."""

from enum import IntFlag

from msgspec import Struct

from pratique.model.flow import FlowEvent, Protocol


class ExecFlag(IntFlag):
    """What the kernel knows about the file that was executed or mapped executable."""

    LOWER = 1
    """The image has a file here."""
    UPPER = 2
    """The file was written in the container."""
    MEMFD = 4
    """No file at all: anonymous memory, or a file with no name left on tmpfs."""
    DELETED = 8
    NOT_OVERLAY = 16
    """On a volume, a bind mount or a tmpfs."""
    SCRIPT = 32
    """A ``#!`` script; ``filename`` is the script and ``interpreter`` what ran."""
    MODIFIED = 64
    """The image has the file, but its size or time of change differs from the image's."""
    LIBRARY = 128
    """Not executed but mapped executable (``mmap(PROT_EXEC)``)."""
    KILLED = 256
    """The kernel killed the process before its first instruction."""
    READ_ONLY = 512
    """Together with ``NOT_OVERLAY``: mounted read-only, so whoever started the container put it there."""


class ExecEvent(Struct, frozen=True, tag=True):
    """A program was started, or a file mapped executable, in a container."""

    at: float
    cgroup: int
    pid: int
    parent: int
    uid: int
    filename: str
    interpreter: str
    arguments: tuple[str, ...]
    command: str
    parent_command: str
    flags: ExecFlag


class PacketSocketEvent(Struct, frozen=True, tag=True):
    """A process asked for a socket below IP (AF_PACKET, AF_XDP) or to the hypervisor (AF_VSOCK)."""

    at: float
    cgroup: int
    pid: int
    family: int
    command: str
    killed: bool


class LossEvent(Struct, frozen=True, tag=True):
    """The kernel had events that it could not hand over."""

    at: float
    source: str
    count: int


class CgroupEvent(Struct, frozen=True, tag=True):
    """A container's or a build step's cgroup was made or removed."""

    at: float
    cgroup: int
    container: str
    """64 hex digits; ``buildkit/<id>`` for a build step; the cgroup's own name for anything else."""
    created: bool


class PayloadEvent(Struct, frozen=True, tag=True):
    """How a conversation began: JSON over TCP, or a DNS question."""

    at: float
    cgroup: int
    protocol: Protocol
    address: str
    port: int
    payload: bytes
    """At most 128 bytes, from the first byte after the transport's header."""


class OpenedEvent(Struct, frozen=True, tag=True):
    """A file of the image was opened for the first time in a container: to be read, executed or mapped."""

    at: float
    cgroup: int
    pid: int
    path: str
    """In the image, symbolic links resolved; ``…/`` at its start stands for what did not fit."""


SensorEvent = FlowEvent | ExecEvent | PacketSocketEvent | LossEvent | CgroupEvent | PayloadEvent | OpenedEvent
