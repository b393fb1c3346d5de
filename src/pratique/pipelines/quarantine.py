"""Quarantine: what is wanted stands in the store, the agent keeps the kernel in step with it.

Whoever writes to the store may be another process (the command line, the console), and may write while no agent runs.
"""

import asyncio
import time
from typing import Final

from pratique.errors import StoreError
from pratique.model import Container, Decision, Verdict
from pratique.pipelines.account import Account
from pratique.pipelines.enforce import Enforcement
from pratique.pipelines.recorder import Recorder
from pratique.store import Quarantine, Store

ENFORCED: Final = "quarantine.enforced"
LIFTED: Final = "quarantine.lifted"
_LOOK_EVERY_S: Final = 0.25
_POLL_S: Final = 0.05


def put_in_quarantine(store: Store, container: Container, *, reason: str, source: str) -> int | None:
    """Ask for a container's quarantine; a running agent has it in the kernel within a moment.

    :param source: who asks, for the decision log
    :return: the id of the decision that was logged for it; None when the container is in quarantine already
    """
    if any(quarantine.container == container.id for quarantine in store.quarantines.all()):
        return None
    asked = _log(store, "quarantine.asked", f"quarantine {container.name}", reason, source, container)
    store.quarantines.put(Quarantine(container.id, time.time(), reason, source))
    return asked


def release(store: Store, container: Container, *, source: str) -> int | None:
    """Ask for the end of a container's quarantine.

    :return: the id of the decision that was logged for it; None when the container is in none
    """
    if not store.quarantines.remove(container.id):
        return None
    return _log(store, "quarantine.released", f"release {container.name}", "", source, container)


def wait_until(store: Store, container_id: str, rule: str, *, after_id: int, seconds: float) -> bool:
    """Wait until an agent has told that it did what was asked for; return whether it did within the time.

    :param rule: :data:`ENFORCED` or :data:`LIFTED`
    :param after_id: a decision's id: only later ones count
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for record in store.decisions(after_id=after_id):
            if record.decision.rule == rule and record.decision.container == container_id:
                return True
        time.sleep(_POLL_S)
    return False


async def keep_quarantines(store: Store, enforcement: Enforcement, recorder: Recorder, account: Account) -> None:
    """Have the containers in quarantine that the store wants there, for ever; what could not be read stays as it is."""
    told: frozenset[str] = frozenset()
    failed = False
    while True:
        try:
            wanted = {quarantine.container: quarantine for quarantine in await asyncio.to_thread(store.quarantines.all)}
        except StoreError as error:
            if not failed:
                account.warn(f"{error.what}; quarantines stay as they are", error.hint)
            failed = True
        else:
            failed = False
            enforcement.isolate(frozenset(wanted))
            for container_id in wanted.keys() - told:
                _tell(recorder, account, wanted[container_id])
            for container_id in told - wanted.keys():
                _tell_lifted(recorder, account, container_id)
            told = frozenset(wanted)
        await asyncio.sleep(_LOOK_EVERY_S)


def _tell(recorder: Recorder, account: Account, quarantine: Quarantine) -> None:
    short = quarantine.container[:12]
    why = f": {quarantine.reason}" if quarantine.reason else ""
    account.say(f"container {short} is in quarantine{why}")
    recorder.decision(
        Decision(
            at=time.time(),
            verdict=Verdict.DENY,
            rule=ENFORCED,
            subject=f"traffic of container {short}",
            reason=f"in quarantine{why}",
            source=quarantine.source,
            container=quarantine.container,
        )
    )


def _tell_lifted(recorder: Recorder, account: Account, container_id: str) -> None:
    account.say(f"container {container_id[:12]} is released: it is under its image's policy again")
    recorder.decision(
        Decision(
            at=time.time(),
            verdict=Verdict.ALLOW,
            rule=LIFTED,
            subject=f"traffic of container {container_id[:12]}",
            reason="released: under its image's policy again",
            container=container_id,
        )
    )


def _log(store: Store, rule: str, subject: str, reason: str, source: str, container: Container) -> int:
    """Log a decision and return its id, or that of one which was logged right before it."""
    last = store.decisions(limit=1)
    decision = Decision(
        at=time.time(),
        verdict=Verdict.ALLOW,
        rule=rule,
        subject=subject,
        reason=reason,
        source=source,
        image=container.image,
        container=container.id,
    )
    store.append_decisions([decision])
    return last[0].id if last else 0
