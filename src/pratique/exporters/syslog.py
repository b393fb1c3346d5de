"""Alerts as syslog messages: RFC 5424, over a local socket, UDP (RFC 5426) or TCP (RFC 6587, octets counted)."""

import os
import re
import socket
import urllib.parse
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from pratique.errors import NetworkError, UsageError
from pratique.model import Alert, Severity
from pratique.text import printable

_PRIORITY: Final = {
    Severity.CRITICAL: 2,
    Severity.HIGH: 3,
    Severity.MEDIUM: 4,
    Severity.LOW: 5,
    Severity.NEGLIGIBLE: 6,
    Severity.UNKNOWN: 6,
}
"""crit, err, warning, notice, info (RFC 5424, table 2)."""
_FACILITIES: Final = {"user": 1, "daemon": 3, "auth": 4, "authpriv": 10, **{f"local{n}": 16 + n for n in range(8)}}
_ELEMENT: Final = "alert@32473"
"""The enterprise number that RFC 5612 keeps for examples: the project has none of its own."""
_MAX_BYTES: Final = {"udp": 2048, "unix": 8192, "tcp": 8192}
_PORTS: Final = {"udp": 514, "tcp": 601}
_PATIENCE_S: Final = 5.0


class Receiver(Struct, frozen=True):
    """Where syslog messages go."""

    transport: str
    """``unix``, ``udp``, ``tcp``."""
    address: str
    """A path, or a host."""
    port: int = 0
    facility: int = _FACILITIES["auth"]


def parse_receiver(url: str) -> Receiver:
    """Read ``syslog+unix:///dev/log``, ``syslog+udp://host:514`` or ``syslog+tcp://host:601?facility=local3``.

    :raises UsageError: when it is none of these
    """
    parts = urllib.parse.urlsplit(url)
    transport = parts.scheme.removeprefix("syslog+")
    facility = dict(urllib.parse.parse_qsl(parts.query)).get("facility", "auth")
    if transport not in _MAX_BYTES or facility not in _FACILITIES:
        msg = f"{parts.scheme}:// with facility {facility[:20]!r} is not a syslog receiver"
        raise UsageError(msg, hint="syslog+unix:///dev/log, syslog+udp://host:514 or syslog+tcp://host:601")
    try:
        port = parts.port or _PORTS.get(transport, 0)
    except ValueError as error:
        msg = f"{parts.scheme}:// has a port that cannot be"
        raise UsageError(msg) from error
    address = parts.path if transport == "unix" else parts.hostname or ""
    if not address:
        msg = f"{parts.scheme}:// names no receiver"
        raise UsageError(msg, hint="syslog+unix:///dev/log, syslog+udp://host:514 or syslog+tcp://host:601")
    return Receiver(transport, address, port, _FACILITIES[facility])


def send(receiver: Receiver, messages: Iterable[bytes]) -> None:
    """Hand messages over; over a datagram nobody confirms them.

    :raises NetworkError: when it cannot be reached or does not take them
    """
    try:
        with _connect(receiver) as connection:
            for message in messages:
                if receiver.transport == "tcp":
                    connection.sendall(f"{len(message)} ".encode() + message)
                else:
                    connection.send(message)
            if receiver.transport == "tcp":
                connection.shutdown(socket.SHUT_WR)
    except OSError as error:
        msg = f"the syslog receiver ({receiver.transport}) cannot be told: {error.strerror or error}"
        raise NetworkError(msg) from error


def encode(alert: Alert, count: int, receiver: Receiver, host: str) -> bytes:
    """Return one alert as a message, short enough for its transport."""
    fields = {
        "rule": alert.rule,
        "severity": alert.severity.value,
        "action": alert.action.value,
        "image": alert.image,
        "image_name": alert.image_name,
        "container": alert.container,
        "container_name": alert.container_name,
        "techniques": ",".join(technique.id for technique in alert.techniques),
        "count": str(count),
        **{f"evidence_{_name(key)}": value for key, value in sorted(alert.evidence.items())[:20]},
    }
    element = "".join(f' {name}="{_value(value)}"' for name, value in fields.items() if value)
    head = _head(alert.at, alert.severity, receiver, host, "alert")
    text = f"{head} [{_ELEMENT}{element}] {printable(alert.title)}".encode()
    limit = _MAX_BYTES[receiver.transport]
    if len(text) > limit:  # the structured part is what is long; without it the message is whole
        text = f"{head} - {printable(f'{alert.title} ({alert.rule}) {alert.image_name}')}".encode()
    return text[:limit].decode(errors="ignore").encode()


def encode_text(text: str, at: float, receiver: Receiver, host: str) -> bytes:
    """Return a line of ours as a message."""
    return f"{_head(at, Severity.UNKNOWN, receiver, host, 'note')} - {printable(text)}".encode()


def _head(at: float, severity: Severity, receiver: Receiver, host: str, kind: str) -> str:
    priority = receiver.facility * 8 + _PRIORITY[severity]
    time = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    name = "".join(character for character in host if "!" <= character <= "~")[:255] or "-"
    return f"<{priority}>1 {time} {name} pratique {os.getpid()} {kind}"


def _value(text: str) -> str:
    # PARAM-VALUE: '"', '\' and ']' are escaped (RFC 5424, 6.3.3)
    return printable(text[:500]).replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _name(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "", key)[:20]  # SD-NAME: at most 32 visible ASCII characters, few of them marks


def _connect(receiver: Receiver) -> socket.socket:
    if receiver.transport == "tcp":
        return socket.create_connection((receiver.address, receiver.port), timeout=_PATIENCE_S)
    if receiver.transport == "unix":
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        target: str | tuple[Any, ...] = receiver.address
    else:
        family, _, _, _, target = socket.getaddrinfo(receiver.address, receiver.port, type=socket.SOCK_DGRAM)[0]
        connection = socket.socket(family, socket.SOCK_DGRAM)
    try:
        connection.settimeout(_PATIENCE_S)
        connection.connect(target)
    except BaseException:
        connection.close()
        raise
    return connection
