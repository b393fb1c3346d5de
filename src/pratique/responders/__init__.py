"""Acts on the host: replaces containers, takes evidence, stops.

In: values that say what to do to what. Out: effects. Never: decides when.
"""

from pratique.responders.connections import Connections, read_connections
from pratique.responders.service import ServiceSwap
from pratique.responders.settings import PLAN_LABEL, STEP_LABEL, Creation, choose_mode, creation, why_not
from pratique.responders.swap import Patience, Swap

__all__ = [
    "PLAN_LABEL",
    "STEP_LABEL",
    "Connections",
    "Creation",
    "Patience",
    "ServiceSwap",
    "Swap",
    "choose_mode",
    "creation",
    "read_connections",
    "why_not",
]
