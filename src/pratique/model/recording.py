"""What a sandboxed run told beyond the sensor's own events, and all of it together."""

from enum import StrEnum

from msgspec import Struct

from pratique.model.event import SensorEvent
from pratique.model.flow import Protocol
from pratique.model.identity import ImageIdentity
from pratique.model.report import Unread


class WriteEvent(Struct, frozen=True, tag=True):
    """A file of the container was written or created."""

    at: float
    cgroup: int
    pid: int
    """0 where nobody can be named: a file that was found in the end."""
    command: str
    """Empty where the process was gone before anybody could look."""
    path: str
    """In the container."""
    executable: bool = False
    """It may be executed, or begins like a program or a ``#!`` script."""


class BaitEvent(Struct, frozen=True, tag=True):
    """Something that nobody honest touches was read or called: a planted key, the engine's socket."""

    at: float
    cgroup: int
    pid: int
    command: str
    bait: str
    """``cloud-key``, ``ssh-key``, ``engine-socket`` …"""
    path: str
    request: str = ""
    """First line of what the engine was asked."""


class PrivilegeEvent(Struct, frozen=True, tag=True):
    """A system call that containers have no business with; it was refused."""

    at: float
    cgroup: int
    pid: int
    command: str
    call: str
    """The system call's name."""
    argument: str = ""
    """What it was about, as far as it tells something: the file system of a mount, the namespace …"""


class Service(StrEnum):
    """What a sinkhole took a conversation for, by its first bytes and its port."""

    DNS = "dns"
    HTTP = "http"
    TLS = "tls"
    STRATUM = "stratum"
    SMTP = "smtp"
    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"


class ConversationEvent(Struct, frozen=True, tag=True):
    """What a sinkhole was told."""

    at: float
    service: Service
    protocol: Protocol
    address: str
    """Whom the container meant."""
    port: int
    name: str = ""
    """The name asked for (DNS), of the host (HTTP), of the server (TLS SNI)."""
    request: str = ""
    """First line of HTTP, method of Stratum, recipient of SMTP."""
    payload: bytes = b""
    """The first bytes, at most 512."""


RecordedEvent = WriteEvent | BaitEvent | PrivilegeEvent | ConversationEvent


class Ending(StrEnum):
    """How a run ended."""

    EXITED = "exited"
    TIME = "time"
    """Its time was over; that is how a service ends."""
    MEMORY = "memory"
    FAILED = "failed"
    """It could not be started."""


class Recording(Struct, frozen=True):
    """One run of one image in the sandbox: facts, not judgements."""

    image: ImageIdentity
    started_at: float
    duration_s: float
    command: tuple[str, ...]
    ending: Ending
    exit_code: int = 0
    """Of the first process, where it exited; 128 + signal for one that was killed."""
    sensed: tuple[SensorEvent, ...] = ()
    """What the sensor told, in order of time."""
    recorded: tuple[RecordedEvent, ...] = ()
    """What the sandbox's own instruments told, in order of time."""
    cpu_s: float = 0.0
    waited_s: float = 0.0
    """Time in which it would have run but no processor was free (PSI, where the kernel has it)."""
    cpus: float = 0.0
    """How many processors it was given."""
    peak_memory: int = 0
    slept_s: float = 0.0
    """Time that it wanted to sleep and was not let: the clock moved forward instead."""
    omitted: int = 0
    """Events beyond the bounds of a recording."""
    output: bytes = b""
    """The first bytes of what it printed; of a run that could not be started, why."""
    unread: tuple[Unread, ...] = ()
    """Parts of the image that it ran without."""
