"""What a path of the host is to the host. Pure: the caller resolves symbolic links."""

import posixpath
from enum import Enum, auto
from typing import Final


class PathKind(Enum):
    """What mounting a path gives away."""

    PLAIN = auto()
    SENSITIVE = auto()
    ENGINE_SOCKET = auto()


_SENSITIVE_TEXT: Final = """
    /bin /boot /dev /etc /lib /lib32 /lib64 /libx32 /opt /proc /root /run /sbin /sys /usr
    /var/lib/containerd /var/lib/containers /var/lib/docker /var/lib/kubelet /var/lib/pratique /var/run
    /var/spool/cron /var/log/pods
    """
"""Whoever writes, or in some cases reads, below these has the host. ``/`` and every parent of one counts as well."""

_SENSITIVE_NAMES: Final = frozenset({".ssh", ".aws", ".azure", ".config", ".docker", ".gnupg", ".kube"})
"""Credentials, wherever they are."""

_SOCKETS: Final = frozenset(
    {
        "docker.sock",
        "containerd.sock",
        "containerd.sock.ttrpc",
        "crio.sock",
        "podman.sock",
        "buildkitd.sock",
        "pratique.sock",
    }
)

_SENSITIVE: Final = tuple(path.split("/")[1:] for path in _SENSITIVE_TEXT.split())


def classify(path: str, *, also: tuple[str, ...] = ()) -> PathKind:
    """Tell what a path is.

    :param path: absolute
    :param also: further paths that are sensitive on this host: the engine's data root, the guard's own folders
    """
    parts = _parts(path)
    if parts and parts[-1] in _SOCKETS:
        return PathKind.ENGINE_SOCKET
    if parts == ["home"] or any(part in _SENSITIVE_NAMES for part in parts):
        return PathKind.SENSITIVE
    if any(_touches(parts, sensitive) for sensitive in (*_SENSITIVE, *(_parts(extra) for extra in also))):
        return PathKind.SENSITIVE
    return PathKind.PLAIN


def _parts(path: str) -> list[str]:
    return [part for part in posixpath.normpath(path).split("/") if part]


def _touches(parts: list[str], sensitive: list[str]) -> bool:
    """Whether one is the other or lies above it: a mount of the parent holds the child."""
    length = min(len(parts), len(sensitive))
    return parts[:length] == sensitive[:length]
