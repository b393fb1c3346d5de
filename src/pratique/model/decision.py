"""What the guard or the policy decided."""

from enum import StrEnum

from msgspec import Struct


class Verdict(StrEnum):
    """Yes or no."""

    ALLOW = "allow"
    DENY = "deny"


class Decision(Struct, frozen=True):
    """One decision, as the log keeps it; the log chains them by hash."""

    at: float
    verdict: Verdict
    rule: str
    """The id of the rule that decided."""
    subject: str
    """What was asked: ``create shop/checkout``, ``build``, ``policy apply`` …"""
    reason: str = ""
    """For people: why, and what to do."""
    source: str = ""
    """Who asked, as far as known."""
    image: str = ""
    container: str = ""
