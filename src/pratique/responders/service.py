"""Replaces the image of a swarm service: swarm itself rolls its tasks over, one after the other, and back."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from pratique.errors import ReplaceError
from pratique.model import Step
from pratique.runtime import Actions, Engine
from pratique.text import printable

_LOOK_EVERY_S: Final = 0.5
_ROLLING_BACK: Final = frozenset({"paused", "rollback_started", "rollback_paused", "rollback_completed"})


class ServiceSwap:
    """One step of a plan that is a swarm service; has the phases of :class:`~pratique.responders.Swap`."""

    def __init__(self, engine: Engine, step: Step, seconds: float) -> None:
        self._do = Actions(engine)
        self.step = step
        self._seconds = seconds

    async def successor(self) -> dict[str, Any] | None:
        """Return None: the tasks are swarm's."""
        return None

    async def prepare(self) -> None:
        """Do nothing: swarm checks by itself."""

    async def take_over(self) -> None:
        """Have every task of the service run the new image.

        :raises ReplaceError: when swarm gives up
        """
        await self._set_image(self.step.reference)

    async def retire(self) -> None:
        """Do nothing: swarm retires its tasks by itself."""

    async def finish(self) -> None:
        """Do nothing: swarm removes its tasks by itself."""

    async def roll_back(self) -> None:
        """Have every task of the service run the old image again.

        :raises ReplaceError: when swarm gives up
        """
        await self._set_image(_image_of(self.step.inspected))

    async def discard(self) -> None:
        """Do nothing: swarm keeps the old specification."""

    async def _set_image(self, image: str) -> None:
        service = await self._do.service(self.step.container)
        if _image_of(service).partition("@")[0] != image.partition("@")[0]:
            spec = dict(service["Spec"])
            template = dict(spec["TaskTemplate"])
            template["ContainerSpec"] = {**template["ContainerSpec"], "Image": image}
            spec["TaskTemplate"] = template
            await self._do.update_service(service, spec)
        await self._wait()

    async def _wait(self) -> None:
        replicas = ((self.step.inspected["Spec"].get("Mode") or {}).get("Replicated") or {}).get("Replicas") or 1
        deadline = time.monotonic() + self._seconds * max(1, replicas)
        while time.monotonic() < deadline:
            status = (await self._do.service(self.step.container)).get("UpdateStatus") or {}
            if status.get("State") == "completed":
                return
            if status.get("State") in _ROLLING_BACK:
                msg = f"swarm gave the update of {self.step.name} up: {printable(str(status.get('Message', ''))[:200])}"
                raise ReplaceError(msg)
            await asyncio.sleep(_LOOK_EVERY_S)
        msg = f"swarm did not finish the update of {self.step.name} within {self._seconds * max(1, replicas):.0f} s"
        raise ReplaceError(msg)


def _image_of(service: Mapping[str, Any]) -> str:
    return str(service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"])
