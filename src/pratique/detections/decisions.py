"""From the guard's decisions to alerts. Pure."""

import re
from typing import Final

from pratique.detections.subject import Subject, raise_alert
from pratique.model import Action, Alert, Decision, Verdict

_RULES: Final = {
    "start.no-report": "api.unadmitted",
    "start.scanning": "api.unadmitted",
    "start.detonating": "api.unadmitted",
    "start.no-detonation": "api.unadmitted",
    "start.report": "api.unhealthy-image",
    "start.detonation": "api.unhealthy-image",
    "start.condemned": "api.condemned-image",
    "start.body": "api.request",
    "create.no-image": "api.request",
    "create.image-name": "api.request",
    "create.legacy-field": "api.request",
    "top.arguments": "api.request",
}
_ROOMS: Final = {
    "build": "api.build",
    "create": "api.settings",
    "start": "api.unadmitted",
    "update": "api.settings",
    "checkpoint": "api.settings",
    "network": "api.settings",
    "volume": "api.settings",
    "exec": "api.exec",
    "copy": "api.copy",
    "image": "api.image",
    "swarm": "api.orchestration",
    "plugin": "api.orchestration",
    "plugins": "api.orchestration",
    "request": "api.request",
    "api": "api.request",
    "debug": "api.request",
    "guard": "guard.undecided",
}
"""By the part of the decision's rule before the dot."""


_BUILDS: Final = frozenset({"build.allowed", "build-channel.allowed"})
_UPKEEP: Final = re.compile(r"/build/(?:prune|cancel)\b")
"""Of the requests that the guard counts as builds, those that build nothing."""


def judge_decision(decision: Decision) -> list[Alert]:
    """Return the alert of a refusal, or of a build that was let through."""
    room = decision.rule.partition(".")[0]
    if decision.verdict is Verdict.DENY:
        rule = _RULES.get(decision.rule) or _ROOMS.get(room, "api.request")
        action = Action.REFUSED
    elif decision.rule in _BUILDS and not _UPKEEP.search(decision.subject):
        rule, action = "api.build-allowed", Action.ALERTED
    else:
        return []
    subject = Subject(image=decision.image, container=decision.container, admitted=True)
    evidence = {
        "rule": decision.rule,
        "asked": decision.subject,
        "reason": decision.reason,
        "source": decision.source,
    }
    about = f"{decision.rule} {decision.subject} {decision.source}"
    return [raise_alert(rule, decision.at, subject, action, about=about, evidence=evidence)]
