"""The graph of what runs where, what it carries and who depends on it.

In: values. Out: a blast radius. Never: does I/O, acts.
"""

from pratique.inventory.blast import (
    BLAST_VERSION,
    AffectedContainer,
    AffectedImage,
    AffectedService,
    BlastRadius,
    Carried,
    Dependant,
    Totals,
    Unknown,
)
from pratique.inventory.graph import Dependencies, ServiceEdge, ServiceMap, ServiceNode, follow
from pratique.inventory.question import Meaning, Question, parse_question
from pratique.inventory.risk import EXPLANATION, Exposure, Loaded, Risk, Threat, assess
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
    "BLAST_VERSION",
    "EXPLANATION",
    "INTERNET",
    "AffectedContainer",
    "AffectedImage",
    "AffectedService",
    "BlastRadius",
    "Carried",
    "Dependant",
    "Dependencies",
    "Exposure",
    "Loaded",
    "Meaning",
    "Question",
    "Risk",
    "Service",
    "ServiceEdge",
    "ServiceKind",
    "ServiceMap",
    "ServiceNode",
    "Threat",
    "Totals",
    "Unknown",
    "assess",
    "follow",
    "is_exposed",
    "lookup_name",
    "outsider",
    "parse_question",
    "repository",
    "service_of",
]
