"""Answers the system calls that a container's seccomp filter passes on: seccomp_unotify(2).

The memory of the caller is the enemy's and may change between two looks, so nothing that is read there decides whether
a call is let through: refused is what is refused by its name and its registers. Only sleeps are let through, and a
sleep harms nobody, whatever its duration turns into.
"""

import array
import contextlib
import errno
import fcntl
import heapq
import os
import select
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from pratique.model import PrivilegeEvent
from pratique.sandbox.numbers import is_compact, names_by_number
from pratique.sandbox.seccomp import SLEEPS, WAITS
from pratique.sandbox.sleeps import Sleeps
from pratique.text import printable

_REQUEST: Final = struct.Struct("=QIIiIQ6Q")
"""``struct seccomp_notif``"""
_ANSWER: Final = struct.Struct("=QqiI")
"""``struct seccomp_notif_resp``"""
_TIMESPEC: Final = struct.Struct("=qq")
_COMPACT_TIMESPEC: Final = struct.Struct("=ii")
_RECEIVE: Final = 0xC0502100
_SEND: Final = 0xC0182101
_IS_VALID: Final = 0x40082102
_CONTINUE: Final = 1
_TIMER_ABSTIME: Final = 1
_MOST_TEXT: Final = 256
_MOST_ALIKE: Final = 500
"""Tries of one call that are told one by one."""
_PATIENCE_S: Final = 0.2
_STATE_BYTES: Final = 1 << 16
_TEXTS: Final = {
    "mount": (2, 0, 1),
    "umount": (0,),
    "umount2": (0,),
    "pivot_root": (0,),
    "chroot": (0,),
    "swapon": (0,),
    "swapoff": (0,),
    "acct": (0,),
    "mknod": (0,),
    "mknodat": (1,),
    "delete_module": (0,),
    "finit_module": (1,),
    "fsopen": (0,),
    "open_tree": (1,),
    "move_mount": (1, 3),
    "mount_setattr": (1,),
    "sethostname": (0,),
    "add_key": (0, 1),
    "request_key": (0, 1),
    "quotactl": (1,),
}
"""Which arguments are texts that tell what a call is about, the most telling first."""
_NAMESPACES: Final = {
    0x00000080: "time",
    0x00020000: "mnt",
    0x02000000: "cgroup",
    0x04000000: "uts",
    0x08000000: "ipc",
    0x10000000: "user",
    0x20000000: "pid",
    0x40000000: "net",
}
_FLAGS: Final = {"unshare": 0, "clone": 0, "setns": 1}
_LONG_TIME: Final = "_time64"
"""What calls of 32-bit programs are called that have times of 64 bits."""
_TIMES: Final = {"nanosleep": 0, "clock_nanosleep": 2, "ppoll": 2}
"""The argument that points at a time; else it is the fifth."""
_TIMEVALS: Final = frozenset({"select", "_newselect"})
_CLOCKS: Final = frozenset({time.CLOCK_REALTIME, time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME, time.CLOCK_TAI})
_NUMBERS: Final = {"ptrace": (0, 1), "bpf": (0,), "keyctl": (0,), "reboot": (2,), "kcmp": (0, 1), "syslog": (0,)}


class Call(Struct, frozen=True):
    """A system call that waits for its answer."""

    id: int
    thread: int
    name: str
    arguments: tuple[int, ...]
    compact: bool = False
    """Of a program of 32 bits."""


class Supervisor:
    """Waits for the filter of one container and answers it. ``serve`` runs in a thread of its own.

    :param record: takes each event
    :param patience_s: see :class:`~pratique.sandbox.sleeps.Sleeps`
    """

    def __init__(self, listener: socket.socket, record: Callable[[PrivilegeEvent], None], *, patience_s: float) -> None:
        self.sleeps = Sleeps(patience_s)
        self.omitted = 0
        self._counts: dict[str, int] = {}
        self._listener = listener
        self._record = record
        self._names = names_by_number()
        self._held: list[tuple[float, int]] = []
        self._stopped = False

    def stop(self) -> None:
        """End soon."""
        self._stopped = True

    def serve(self) -> None:
        """Answer until the container is gone or :meth:`stop`. Whatever happens, the filter's descriptor is closed.

        A call that waits when it is closed fails with ENOSYS: nothing hangs, and nothing is let through.
        """
        filter_fd = self._receive_filter()
        if filter_fd is None:
            return
        try:
            poller = select.poll()
            poller.register(filter_fd, select.POLLIN)
            while not self._stopped:
                events = poller.poll(1000 * self._release(filter_fd))
                if any(mask & ~select.POLLIN for _, mask in events):
                    return  # no process uses the filter any more
                if events:
                    self._answer_next(filter_fd)
        finally:
            os.close(filter_fd)

    def _receive_filter(self) -> int | None:
        """Take the descriptor that runc sends (OCI runtime-spec, "The Container Process State")."""
        self._listener.settimeout(_PATIENCE_S)
        while not self._stopped:
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(1)
                space = socket.CMSG_SPACE(4 * array.array("i").itemsize)
                _, ancillary, _, _ = connection.recvmsg(_STATE_BYTES, space)
            received = array.array("i")
            for level, kind, data in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    received.frombytes(data[: len(data) - len(data) % received.itemsize])
            for surplus in received[1:]:
                os.close(surplus)
            if received:
                return received[0]
        return None

    def _release(self, filter_fd: int) -> float:
        """Answer the sleepers whose pause is over, and return how long to wait at most."""
        now = time.monotonic()
        while self._held and self._held[0][0] <= now:
            self._send(filter_fd, heapq.heappop(self._held)[1])
        return min(_PATIENCE_S, self._held[0][0] - now) if self._held else _PATIENCE_S

    def _answer_next(self, filter_fd: int) -> None:
        buffer = bytearray(_REQUEST.size)
        try:
            fcntl.ioctl(filter_fd, _RECEIVE, buffer)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.EINTR, errno.EAGAIN}:
                return  # the caller was killed meanwhile
            raise
        number, thread, _, call_number, architecture, _, *arguments = _REQUEST.unpack(buffer)
        name = self._names.get((architecture, call_number), f"call {call_number}")
        call = Call(number, thread, name, tuple(arguments), is_compact(architecture))
        if call.name in SLEEPS or call.name in WAITS:
            self._sleep(filter_fd, call)
        else:
            self._refuse(filter_fd, call)

    def _sleep(self, filter_fd: int, call: Call) -> None:
        wanted = wanted_sleep(call, lambda address: _read(call.thread, address, _TIMESPEC.size))
        pause = self.sleeps.pause(wanted) if wanted is not None else None
        if pause is None:
            self._send(filter_fd, call.id, flags=_CONTINUE)
        else:
            heapq.heappush(self._held, (time.monotonic() + pause, call.id))

    def _refuse(self, filter_fd: int, call: Call) -> None:
        """Refuse and record. Whoever tries for ever is only counted, so that it costs next to nothing."""
        count = self._counts[call.name] = self._counts.get(call.name, 0) + 1
        event = self._describe(filter_fd, call) if count <= _MOST_ALIKE else None
        self._send(filter_fd, call.id, error=-errno.EPERM)
        if event is not None:
            self._record(event)
        elif count > _MOST_ALIKE:
            self.omitted += 1

    def _describe(self, filter_fd: int, call: Call) -> PrivilegeEvent | None:
        """Return the event; None when the caller died before it was certain whose memory that was."""
        command, pid = _who(call.thread)
        argument = telling_argument(call, lambda address: _read(call.thread, address, _MOST_TEXT))
        try:
            fcntl.ioctl(filter_fd, _IS_VALID, struct.pack("=Q", call.id))
        except OSError:
            return None
        return PrivilegeEvent(time.time(), 0, pid, command, call.name, argument)

    @staticmethod
    def _send(filter_fd: int, number: int, *, error: int = 0, flags: int = 0) -> None:
        with contextlib.suppress(OSError):  # the caller may be gone
            fcntl.ioctl(filter_fd, _SEND, bytearray(_ANSWER.pack(number, 0, error, flags)))


def wanted_sleep(call: Call, read: Callable[[int], bytes]) -> float | None:
    """Return how many seconds a call would sleep; None when it cannot be told, or for ever.

    :param read: reads the caller's memory: 16 bytes, or fewer where there are none
    """
    name = call.name.removesuffix(_LONG_TIME)
    layout = _COMPACT_TIMESPEC if call.compact and name == call.name else _TIMESPEC
    arguments = call.arguments
    if name == "poll":
        milliseconds = arguments[2] & 0xFFFFFFFF
        return None if milliseconds >= 1 << 31 else milliseconds / 1000
    address = arguments[_TIMES.get(name, 4)]
    data = read(address) if address else b""
    if len(data) < layout.size:
        return None
    seconds, fraction = layout.unpack_from(data)
    if name in _TIMEVALS:
        fraction *= 1000
    if seconds < 0 or not 0 <= fraction < 1_000_000_000:
        return None
    wanted: float = seconds + fraction / 1e9
    if name != "clock_nanosleep" or not arguments[1] & _TIMER_ABSTIME:
        return wanted
    clock = arguments[0] & 0xFFFFFFFF
    return wanted - time.clock_gettime(clock) if clock in _CLOCKS else None


def telling_argument(call: Call, read: Callable[[int], bytes]) -> str:
    """Return what a call was about, for people.

    :param read: reads the caller's memory: up to 256 bytes
    """
    if call.name in _FLAGS:
        flags = call.arguments[_FLAGS[call.name]]
        return " ".join(name for bit, name in _NAMESPACES.items() if flags & bit)
    if call.name in _NUMBERS:
        return " ".join(str(call.arguments[index]) for index in _NUMBERS[call.name])
    texts = []
    for index in _TEXTS.get(call.name, ()):
        text = read(call.arguments[index]).partition(b"\0")[0] if call.arguments[index] else b""
        if text:
            texts.append(printable(text.decode(errors="backslashreplace")))
    return " ".join(texts)


def _read(thread: int, address: int, count: int) -> bytes:
    """Read memory of the caller: what can be read of ``count`` bytes, to the end of the page that holds the first."""
    if address >= 1 << 47:
        return b""
    try:
        with Path(f"/proc/{thread}/mem").open("rb", buffering=0) as memory:
            data = os.pread(memory.fileno(), count, address)
            return data or os.pread(memory.fileno(), min(count, 4096 - address % 4096), address)
    except OSError:
        return b""


def _who(thread: int) -> tuple[str, int]:
    """Return a thread's name and its process."""
    try:
        text = Path(f"/proc/{thread}/status").read_text(errors="backslashreplace")
    except OSError:
        return "", thread
    fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    tgid = fields.get("Tgid", "")
    return printable(fields.get("Name", ""))[:64], int(tgid) if tgid.isdigit() else thread
