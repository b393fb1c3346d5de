"""Cutting a container off, and letting it go."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from pratique.hub.desk import Desk
from pratique.hub.views.asks import ContainerKey
from pratique.hub.views.containers import find
from pratique.hub.views.policy import Done
from pratique.pipelines.presence import agent_runs
from pratique.pipelines.quarantine import ENFORCED, LIFTED, put_in_quarantine, release, wait_until

_WITHIN_S: Final = 3.0
_LATER = "asked for; it holds as soon as an agent runs"


class QuarantineAsk(Struct, frozen=True):
    """Which container, and why."""

    id: ContainerKey
    reason: Annotated[str, Meta(max_length=500)] = ""


class ReleaseAsk(Struct, frozen=True):
    """Which container."""

    id: ContainerKey


def quarantine_container(desk: Desk, ask: QuarantineAsk) -> Done:
    """Cut off all traffic of a container, and wait until the kernel does it."""
    container = find(desk, ask.id).container
    asked = put_in_quarantine(desk.store, container, reason=ask.reason, source=desk.actor)
    if asked is None:
        return Done(told=f"{container.name} is in quarantine already", live=agent_runs(desk.run_dir))
    live = agent_runs(desk.run_dir) and wait_until(
        desk.store, container.id, ENFORCED, after_id=asked, seconds=_WITHIN_S
    )
    return Done(told=f"quarantine of {container.name}: {'live in the kernel' if live else _LATER}", live=live)


def release_container(desk: Desk, ask: ReleaseAsk) -> Done:
    """End the quarantine of a container, and wait until the kernel does it."""
    container = find(desk, ask.id).container
    asked = release(desk.store, container, source=desk.actor)
    if asked is None:
        return Done(told=f"{container.name} is not in quarantine", live=True)
    live = agent_runs(desk.run_dir) and wait_until(desk.store, container.id, LIFTED, after_id=asked, seconds=_WITHIN_S)
    return Done(told=f"release of {container.name}: {'live in the kernel' if live else _LATER}", live=live)
