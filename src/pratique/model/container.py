"""A container as its engine describes it."""

from msgspec import Struct

from pratique.model.identity import ImageId


class Mount(Struct, frozen=True):
    """Something of the host inside a container."""

    kind: str
    """``bind``, ``volume``, ``tmpfs``."""
    source: str
    destination: str
    writable: bool = True


class Container(Struct, frozen=True):
    """A container. ``id`` has 64 hex digits; it names a cgroup, never a policy."""

    id: str
    name: str
    image: ImageId
    image_reference: str = ""
    running: bool = False
    created_at: float = 0.0
    pid: int = 0
    addresses: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    labels: dict[str, str] = {}
