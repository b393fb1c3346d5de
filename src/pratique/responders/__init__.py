"""Acts on the host: replaces containers, takes evidence, stops.

In: values that say what to do to what. Out: effects. Never: decides when.
"""

from pratique.responders.archive import Evidence, Member
from pratique.responders.capture import capture_changes, capture_processes
from pratique.responders.connections import Connections, read_connections
from pratique.responders.service import ServiceSwap
from pratique.responders.settings import PLAN_LABEL, STEP_LABEL, Creation, choose_mode, creation, why_not
from pratique.responders.swap import Patience, Swap

__all__ = [
    "PLAN_LABEL",
    "STEP_LABEL",
    "Connections",
    "Creation",
    "Evidence",
    "Member",
    "Patience",
    "ServiceSwap",
    "Swap",
    "capture_changes",
    "capture_processes",
    "choose_mode",
    "creation",
    "read_connections",
    "why_not",
]
