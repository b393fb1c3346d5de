"""A container as its engine describes it."""

from msgspec import Struct

from pratique.model.flow import Protocol
from pratique.model.identity import ImageId


class Mount(Struct, frozen=True):
    """Something of the host inside a container."""

    kind: str
    """``bind``, ``volume``, ``tmpfs``."""
    source: str
    destination: str
    writable: bool = True


class PublishedPort(Struct, frozen=True):
    """A port of the host that the engine leads into a container."""

    address: str
    """Of the host; ``0.0.0.0`` and ``::`` are all of them."""
    port: int
    protocol: Protocol
    target: int
    """The container's own port."""


class Network(Struct, frozen=True):
    """A network that a container is in."""

    name: str
    """``host``: the host's own, without a namespace between; ``ingress``: the swarm's way in."""
    gateways: tuple[str, ...] = ()
    """The host's own addresses in it."""


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
    published: tuple[PublishedPort, ...] = ()
    networks: tuple[Network, ...] = ()
