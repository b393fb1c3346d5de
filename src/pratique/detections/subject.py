"""Whom an event is about, and how an alert about him is made."""

from msgspec import Struct

from pratique.detections.rules import RULES
from pratique.model import Action, Alert

MAX_EVIDENCE: int = 500
"""Characters of one piece of evidence: it comes from the attacker."""


class Subject(Struct, frozen=True):
    """The container that an event comes from, as far as known; a build step has no id and no name."""

    image: str = ""
    image_name: str = ""
    container: str = ""
    container_name: str = ""
    admitted: bool = False
    """The guard gave the container a ticket."""
    build: bool = False
    """A step of an image build."""
    policy: str = ""
    """The name of the policy's entry that it is under."""
    may_change_metadata: bool = False
    """That entry's ``allow_changed_metadata``."""

    @property
    def key(self) -> str:
        """What repetitions are told apart by."""
        return self.container or self.image or ("build" if self.build else "unknown")


def raise_alert(
    rule_id: str, at: float, subject: Subject, action: Action, *, about: str, evidence: dict[str, str]
) -> Alert:
    """Make an alert of a rule.

    :param about: what it is about, such as a file or a peer: alerts of one rule, subject and this are one thing
    :param evidence: empty values are left out
    """
    rule = RULES[rule_id]
    facts = {**evidence, "policy": subject.policy, "build": "yes" if subject.build else ""}
    if subject.container and not subject.admitted and not subject.build:
        facts["admitted"] = "no"
    return Alert(
        at=at,
        rule=rule.id,
        severity=rule.severity,
        title=rule.title,
        action=action,
        techniques=rule.techniques,
        image=subject.image,
        image_name=subject.image_name,
        container=subject.container,
        container_name=subject.container_name,
        evidence={name: value[:MAX_EVIDENCE] for name, value in facts.items() if value},
        key=f"{rule.id}|{subject.key}|{about[:MAX_EVIDENCE]}",
    )
