"""How the host stands, and what was stopped."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from pratique.errors import PolicyError
from pratique.hub.desk import Desk
from pratique.hub.views.alerts import AlertItem, alert_item, alert_items
from pratique.hub.views.asks import Hours
from pratique.model import Action
from pratique.pipelines.presence import APPLIED_STATE, agent_runs
from pratique.policy.document import read_text
from pratique.store.pages import Filter

_HOUR_S: Final = 3600.0
_MAX_COUNTED: Final = 20_000
_KEPT_S: Final = 2.0
_LATEST: Final = 8
_POSTURE: Final = ("host.api-exposed",)
"""Rules about the host itself."""


class OverviewAsk(Struct, frozen=True):
    """How far to look back."""

    hours: Hours = 24


class Hour(Struct, frozen=True):
    """What was stopped within one hour that begins ``at``."""

    at: float
    flows: int
    requests: int
    programs: int


class PolicyState(Struct, frozen=True):
    """Whether the policy file is what the kernel enforces."""

    sha256: str
    """Of the file; empty when there is none."""
    live: bool
    """An agent runs and has put this very file into force."""
    agent: bool
    """An agent runs."""


class Overview(Struct, frozen=True):
    """The first page."""

    policy: PolicyState
    containers: int
    unadmitted: int
    """Containers without a ticket of the guard."""
    images: int
    unscanned: int
    malicious: int
    """Images with a finding of malware."""
    flows_refused: int
    requests_refused: int
    programs_killed: int
    complete: bool
    """False: more happened than was counted."""
    hours: tuple[Hour, ...]
    open: tuple[AlertItem, ...]
    """What is open on this host."""
    latest: tuple[AlertItem, ...]


def overview(desk: Desk, ask: OverviewAsk) -> Overview:
    """Return how the host stands."""
    return desk.memory.within(_KEPT_S, ("overview", ask.hours), lambda: _overview(desk, ask.hours))


def policy_state(desk: Desk) -> PolicyState:
    """Return whether the policy file is what the kernel enforces."""
    try:
        digest = hashlib.sha256(read_text(desk.policy_path)).hexdigest()
    except PolicyError:
        digest = ""
    agent = agent_runs(desk.run_dir)
    live = bool(digest) and agent and desk.store.state(APPLIED_STATE) == digest
    return PolicyState(sha256=digest, live=live, agent=agent)


def _overview(desk: Desk, hours: int) -> Overview:
    now = desk.now()
    since = (now // _HOUR_S - hours + 1) * _HOUR_S
    counted = desk.store.pages.actions(since, _MAX_COUNTED)
    stopped = _by_hour(counted)
    counts = desk.store.pages.counts()
    latest = desk.store.pages.alerts(_LATEST, only=Filter(since=since))
    total = {action: sum(times for (_, done), times in stopped.items() if done is action) for action in Action}
    return Overview(
        policy=policy_state(desk),
        flows_refused=total[Action.DENIED],
        requests_refused=total[Action.REFUSED],
        programs_killed=total[Action.KILLED],
        complete=len(counted) < _MAX_COUNTED,
        hours=tuple(
            Hour(
                at=since + number * _HOUR_S,
                flows=stopped[since + number * _HOUR_S, Action.DENIED],
                requests=stopped[since + number * _HOUR_S, Action.REFUSED],
                programs=stopped[since + number * _HOUR_S, Action.KILLED],
            )
            for number in range(hours)
        ),
        open=_open(desk),
        latest=alert_items(desk, latest),
        **counts,
    )


def _open(desk: Desk) -> tuple[AlertItem, ...]:
    """Return the newest alert of each kind about the host itself."""
    found = [record for rule in _POSTURE for record in desk.store.pages.alerts(1, only=Filter(rule=rule))]
    return tuple(alert_item(record, {}) for record in found)


def _by_hour(counted: Sequence[tuple[float, Action, int]]) -> Counter[tuple[float, Action]]:
    stopped: Counter[tuple[float, Action]] = Counter()
    for at, action, times in counted:
        stopped[at // _HOUR_S * _HOUR_S, action] += times
    return stopped
