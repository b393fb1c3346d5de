"""The attacker, and how it is known what became of what he did.

He works as he would: with the docker SDK for Python, over the open TCP port. Whether a step succeeded is judged by its
effect, never by what an API answered: what the attacker's servers saw, whether a marker file exists, what the engine
itself says of a container.
"""

import time
from collections.abc import Callable
from typing import Final

import requests
from docker.errors import APIError
from docker.models.containers import Container
from msgspec import Struct, structs

from testbed import images
from testbed.shop import Shop
from testbed.world import World

_STARTS_WITHIN_S: Final = 2.0
"""How long a started container has to call home."""
_REFUSED_WITHIN_S: Final = 0.2
"""The same when the engine refused: nobody should call."""


class Outcome(Struct, frozen=True):
    """What became of one step."""

    step: str
    succeeded: bool
    received: str
    """What the attacker's client got, in one line."""
    seconds: float


class Attack:
    """The attacker: a client of the engine's open port, and his servers out in the world."""

    def __init__(self, world: World, shop: Shop) -> None:
        self.world = world
        self.shop = shop
        self.client = world.engine.client(tcp=True)
        self.mark = world.mark()
        self._patience_s = _STARTS_WITHIN_S

    def play(self, step: "Step") -> Outcome:
        """Play one step and clean up after it."""
        self.mark = self.world.mark()
        self._patience_s = _STARTS_WITHIN_S
        started = time.monotonic()
        try:
            received = step.act(self)
        except (APIError, requests.RequestException) as error:
            received = str(getattr(error, "explanation", None) or error)
            self._patience_s = _REFUSED_WITHIN_S
        seconds = time.monotonic() - started
        succeeded = step.effect(self, received)
        self.clean()
        return Outcome(step.name, succeeded, " ".join(received.split()), seconds)

    def clean(self) -> None:
        """Remove the attacker's containers and images, through the engine's private socket as its owner would."""
        owner = self.world.engine.client()
        for container in owner.containers.list(all=True):
            if container.attrs["Image"] not in {images.checkout().id, images.redis().id}:
                container.remove(force=True)
        for image in owner.images.list():
            if any(tag.startswith("evil/") for tag in image.tags):
                owner.images.remove(str(image.id), force=True)
        owner.close()

    def saw(self, kind: str, text: str = "") -> bool:
        """Whether one of the attacker's servers saw this during the step, or soon after it."""
        event = self.world.attacker.wait_for(
            lambda event: event.kind == kind and text in event.text, since=self.mark, seconds=self._patience_s
        )
        return event is not None

    def saw_frame(self, protocol: str, version: int) -> bool:
        """Whether a packet reached the attacker during the step."""
        return self.world.received(self.mark)[f"{protocol}{version}"] > 0

    def execute(self, *command: str) -> str:
        """Run a command in the honest container and return what it printed, with its exit code when it failed."""
        code, output = self.shop_container.exec_run(list(command))
        assert isinstance(output, bytes)
        return output.decode(errors="replace") + (f" (exit code {code})" if code else "")

    @property
    def shop_container(self) -> Container:
        """``checkout``, as the attacker's client sees it."""
        return self.client.containers.get("checkout")


class Step(Struct, frozen=True):
    """One step: what the attacker does, and how its effect is seen."""

    name: str
    title: str
    act: Callable[[Attack], str]
    effect: Callable[[Attack, str], bool]
    wall: str
    """Which wall stops it."""

    def where(self, condition: str, wall: str) -> "Step":
        """Return the same step under another condition, in which another wall stops it."""
        return structs.replace(self, title=f"{self.title} ({condition})", wall=wall)
