"""A plan that replaces containers of one image by containers of another, as it is shown, saved and carried out."""

from enum import StrEnum
from typing import Any

from msgspec import Struct

from pratique.model.identity import ImageId


class SwapMode(StrEnum):
    """How a container makes room for its successor."""

    BESIDE = "beside"
    """The new one is started beside the old one, takes over, and only then the old one is stopped."""
    IN_TURN = "in turn"
    """The old one holds something that only one can have: it is stopped, then the new one is started."""
    SERVICE = "service"
    """Swarm replaces the tasks of the service by itself."""


class StepState(StrEnum):
    """Where a step of a plan stands."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    """It was rolled back, and the plan stopped there."""
    UNDONE = "undone"


class PlanState(StrEnum):
    """Where a plan stands."""

    PLANNED = "planned"
    RUNNING = "running"
    """Under way, or interrupted: then it can be continued or undone."""
    FAILED = "failed"
    DONE = "done"
    UNDONE = "undone"


class Step(Struct, frozen=True):
    """One container, or one swarm service, of a plan."""

    number: int
    service: str
    """The name of the service that it is of; see :func:`pratique.inventory.service_of`."""
    container: str
    """The old container's id; of a swarm service, the service's."""
    name: str
    old_image: ImageId
    new_image: ImageId
    reference: str
    """The new image as the new container's configuration names it."""
    mode: SwapMode
    why: str = ""
    """Why it goes in turn."""
    inspected: dict[str, Any] = {}
    """The old container as the engine described it when the plan was made."""
    listens: tuple[int, ...] = ()
    """The TCP ports that the old container listened on then."""
    state: StepState = StepState.WAITING
    note: str = ""


class Skipped(Struct, frozen=True):
    """Something that runs the old image and that the plan leaves alone."""

    name: str
    why: str
    command: str = ""
    """What a person can do instead."""


class Plan(Struct, frozen=True):
    """A whole plan. Steps are in the order in which they are carried out."""

    id: str
    at: float
    question: str
    """What was asked: ``CVE-2026-1234``, or the old image's name."""
    steps: tuple[Step, ...]
    skipped: tuple[Skipped, ...] = ()
    allowed: tuple[tuple[ImageId, ImageId], ...] = ()
    """Old and new image: the new one's id is added to the old one's policy entry."""
    state: PlanState = PlanState.PLANNED
    note: str = ""
