"""The graph of what runs where, what it carries and who depends on it.

In: values. Out: a blast radius. Never: does I/O, acts.
"""

from pratique.inventory.graph import Dependencies, Reach, ServiceEdge, ServiceMap, ServiceNode, follow
from pratique.inventory.service import (
    INTERNET,
    Service,
    ServiceKind,
    is_exposed,
    lookup_name,
    outsider,
    repository,
    service_of,
)

__all__ = [
    "INTERNET",
    "Dependencies",
    "Reach",
    "Service",
    "ServiceEdge",
    "ServiceKind",
    "ServiceMap",
    "ServiceNode",
    "follow",
    "is_exposed",
    "lookup_name",
    "outsider",
    "repository",
    "service_of",
]
