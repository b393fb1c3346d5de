"""What a rule says of itself."""

from msgspec import Struct

from pratique.model import Severity, Technique


class Rule(Struct, frozen=True):
    """One rule. The id is stable: people search for it, and ``docs/detections.md`` lists it."""

    id: str
    severity: Severity
    title: str
    techniques: tuple[Technique, ...]
    why: str
    condemns: bool = False
    """Seen in the sandbox, it alone makes the image a bad one: nobody honest does it. What an honest image may well do
    is told and leaves the verdict alone."""


def rule(
    rule_id: str, severity: Severity, title: str, why: str, *techniques: Technique, condemns: bool = False
) -> Rule:
    """Make a rule, in the order in which people read it."""
    return Rule(rule_id, severity, title, techniques, why, condemns)
