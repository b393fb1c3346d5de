"""Answers the engine's question whether an API request may go on.

In: the authorization plugin's calls. Out: yes, or no with a reason; a :class:`~pratique.model.Decision` for each that
matters. Never: imports the scanner; lets through what it could not read, judge or decide in time.
"""

from pratique.guard.admission import OWN_HEADER, EngineView, Guard, Reports
from pratique.guard.refusal import RULES, Refusal
from pratique.guard.server import alive, serve

__all__ = ["OWN_HEADER", "RULES", "EngineView", "Guard", "Refusal", "Reports", "alive", "serve"]
