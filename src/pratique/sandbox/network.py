"""Joins a container's network namespace and the sinkhole's by a pair of interfaces; there, every address is local.

The sinkhole's namespace has no other interface than this one and its loopback, and forwards nothing: there is no way
out to be closed. Each packet of the container is for the sinkhole itself, whatever its address, by a ``local`` default
route (AnyIP); netfilter's TPROXY hands it to the sinkhole's listeners, whatever its port, with both kept.
The container's own network is no exception, though its address shows one: it has a single neighbour. The kernel's table
of neighbours has one bound for all namespaces, and a scan of a network on the link would fill it for the whole host.
Entries that are permanent, as these are, do not count.
"""

import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pratique.errors import SandboxError

CONTAINER4: Final = "172.17.0.2"
GATEWAY4: Final = "172.17.0.1"
CONTAINER6: Final = "fd00:ac11::2"
GATEWAY6: Final = "fd00:ac11::1"
TCP_PORT: Final = 1
UDP_PORT: Final = 1
"""Where the sinkhole listens; no matter to the container, for whom every port is open."""

_MAC_CONTAINER: Final = "02:42:ac:11:00:02"
_MAC_GATEWAY: Final = "02:42:ac:11:00:01"
_SINK: Final = f"""\
link set lo up
link add sink0 address {_MAC_GATEWAY} type veth peer name eth0 address {_MAC_CONTAINER} netns {{container}}
addr add {GATEWAY4}/32 dev sink0
link set sink0 up
route add {CONTAINER4}/32 dev sink0
neigh add {CONTAINER4} lladdr {_MAC_CONTAINER} dev sink0 nud permanent
route add local default dev lo table main
"""
_SINK6: Final = f"""\
addr add {GATEWAY6}/128 dev sink0 nodad
route add {CONTAINER6}/128 dev sink0
neigh add {CONTAINER6} lladdr {_MAC_CONTAINER} dev sink0 nud permanent
route add local ::/0 dev lo table main
"""
_CONTAINER: Final = f"""\
link set lo up
addr add {CONTAINER4}/16 dev eth0 noprefixroute
link set eth0 up
route add {GATEWAY4}/32 dev eth0
neigh add {GATEWAY4} lladdr {_MAC_GATEWAY} dev eth0 nud permanent
route add default via {GATEWAY4}
"""
_CONTAINER6: Final = f"""\
addr add {CONTAINER6}/128 dev eth0 nodad
route add {GATEWAY6}/128 dev eth0
neigh add {GATEWAY6} lladdr {_MAC_GATEWAY} dev eth0 nud permanent
route add ::/0 via {GATEWAY6}
"""
_RULES: Final = f"""\
*mangle
-A PREROUTING -i sink0 -p tcp -j TPROXY --on-port {TCP_PORT}
-A PREROUTING -i sink0 -p udp -j TPROXY --on-port {UDP_PORT}
COMMIT
*filter
:FORWARD DROP [0:0]
COMMIT
"""


def connect(container: int, sinkhole: int) -> None:
    """Join the two.

    :param container: a process in the container's network namespace
    :param sinkhole: a process in the sinkhole's
    :raises SandboxError: when this host cannot
    """
    six = socket.AF_INET6 in families()
    ip = ("ip", "-batch", "-")
    _run(sinkhole, ip, _SINK.format(container=container) + _SINK6 * six)
    for program in ("iptables-restore", "ip6tables-restore")[: 1 + six]:
        _run(sinkhole, [program], _RULES)
    _run(container, ip, _CONTAINER + _CONTAINER6 * six)


def families() -> tuple[socket.AddressFamily, ...]:
    """Return the versions of IP that this kernel has: version 6 may be switched off when it boots."""
    six = Path("/proc/sys/net/ipv6").exists()
    return (socket.AF_INET, socket.AF_INET6) if six else (socket.AF_INET,)


def _run(target: int, command: Sequence[str], text: str = "") -> str:
    enter = ["nsenter", f"--target={target}", "--net"]
    done = subprocess.run(  # noqa: S603  # fixed programs; no word comes from an image
        [*enter, *command], input=text, capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = " ".join((done.stderr or done.stdout).split())[:300]
        msg = f"the sandbox's network cannot be set up: {command[0]}: {reason}"
        raise SandboxError(
            msg, hint="iproute2, util-linux and iptables are needed, and a kernel with veth and xt_TPROXY"
        )
    return done.stdout
