"""What a container is a part of, for people and for the graph: its service."""

import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from typing import Final

from msgspec import Struct

from pratique.model import Container

MAX_NAME: Final = 200
"""Characters of a name that count: labels are written by whoever creates a container."""
_DEPLOYMENT: Final = re.compile(r"-[a-f0-9]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}$")
_DAEMON_SET: Final = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5}$")
_STATEFUL_SET: Final = re.compile(r"-\d{1,4}$")
_PEP_503: Final = re.compile(r"[-_.]+")
_DIGEST: Final = re.compile(r"(sha256:)?[0-9a-f]{12,64}")


class ServiceKind(StrEnum):
    """Where the name of a service is from, or what sort of outsider it is."""

    COMPOSE = "compose"
    """``project/service``."""
    SWARM = "swarm"
    KUBERNETES = "kubernetes"
    """``namespace/workload``."""
    IMAGE = "image"
    """The image's repository: nothing better is known."""
    HOST = "host"
    """A host itself."""
    NETWORK = "network"
    """Private addresses that are no container's: ``10.1.2.0/24``."""
    INTERNET = "internet"
    """Everything with a public address."""

    @property
    def contains(self) -> bool:
        """Whether containers are in it; the others are outsiders."""
        return self in {self.COMPOSE, self.SWARM, self.KUBERNETES, self.IMAGE}


class Service(Struct, frozen=True, order=True):
    """A service. Labels decide it: for order and overview, never for trust."""

    kind: ServiceKind
    name: str

    def __str__(self) -> str:
        """Return the name."""
        return self.name


INTERNET: Final = Service(ServiceKind.INTERNET, "internet")


def service_of(container: Container) -> Service:
    """Return the service that a container is of.

    By the labels of Compose, of a swarm, of Kubernetes (cri-dockerd); else by its image's repository.
    """
    labels = container.labels
    if swarm := labels.get("com.docker.swarm.service.name"):
        return _service(ServiceKind.SWARM, swarm)
    if service := labels.get("com.docker.compose.service"):
        return _service(ServiceKind.COMPOSE, f"{labels.get('com.docker.compose.project', '')}/{service}")
    if pod := labels.get("io.kubernetes.pod.name"):
        return _service(ServiceKind.KUBERNETES, f"{_namespace(labels)}/{_workload(pod)}")
    return _service(ServiceKind.IMAGE, repository(container.image_reference) or container.image[:19] or container.name)


def repository(reference: str) -> str:
    """Return an image's name without tag and digest, or ``""`` when the reference is an id."""
    name = reference.partition("@")[0]
    if _DIGEST.fullmatch(name):
        return ""
    head, separator, tag = name.rpartition(":")
    return head if separator and "/" not in tag else name


def lookup_name(package: str) -> str:
    """Return a package's name as it is looked up: PEP 503, which does no harm elsewhere."""
    return _PEP_503.sub("-", package).lower()


def is_exposed(container: Container) -> bool:
    """Tell whether other machines can open connections into a container.

    It has a port published on more than loopback, is in the host's network, or in the swarm's ingress network.
    """
    if any(network.name in {"host", "ingress"} for network in container.networks):
        return True
    return any(not _is_loopback(port.address) for port in container.published)


def outsider(address: str) -> Service | None:
    """Return the node for an address that is no container's; None for what never leaves the container."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    if parsed.is_loopback or parsed.is_unspecified or parsed.is_multicast:
        return None
    if parsed.is_global:
        return INTERNET
    size = 24 if parsed.version == 4 else 64
    kept = int(parsed) >> (parsed.max_prefixlen - size) << (parsed.max_prefixlen - size)
    return Service(ServiceKind.NETWORK, f"{type(parsed)(kept)}/{size}")


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _service(kind: ServiceKind, name: str) -> Service:
    return Service(kind, name[:MAX_NAME])


def _namespace(labels: Mapping[str, str]) -> str:
    return labels.get("io.kubernetes.pod.namespace", "default")


def _workload(pod: str) -> str:
    """Return a pod's name without what Kubernetes appends: the workload's name."""
    for suffix in (_DEPLOYMENT, _DAEMON_SET, _STATEFUL_SET):
        workload, found = suffix.subn("", pod)
        if found:
            return workload
    return pod
