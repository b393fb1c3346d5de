"""Every rule, in one table: what it is called, how bad it is, what the attacker is doing, and why we say so."""

from typing import Final

from pratique.detections.rule import Rule
from pratique.detections.rules_around import AROUND
from pratique.detections.rules_inside import INSIDE

RULES: Final[dict[str, Rule]] = {rule.id: rule for rule in (*INSIDE, *AROUND)}
