"""Whether an image did nothing bad in the sandbox, where the policy asks for that."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from pratique.errors import PratiqueError
from pratique.guard.refusal import refuse
from pratique.model import Detonation, ImageId, ImageIdentity
from pratique.policy import Document, judge_detonation

Detonate = Callable[[ImageIdentity], Awaitable[Detonation]]
"""Return an image's detonation, detonating it when there is none.

It raises :class:`~pratique.errors.PratiqueError` when the image cannot be detonated.
"""

_MAX_WAITING = 64
"""Requests that may wait for detonations as long as the policy lets them; a flood of them must not keep others out."""
_IMPATIENT_S = 1.0

_log = structlog.get_logger(__name__)


class BehaviourGate:
    """Refuses an image whose behaviour is not known to be clean. One detonation an image at a time.

    A client that stops waiting does not stop the detonation: the next one finds it further on.
    """

    def __init__(self, detonate: Detonate) -> None:
        self._detonate = detonate
        self._running: dict[ImageId, asyncio.Task[Detonation | PratiqueError]] = {}
        self._waiting = 0

    def stop(self) -> None:
        """Stop what is under way."""
        for task in self._running.values():
            task.cancel()

    async def require(self, image: ImageIdentity, document: Document, tasks: asyncio.TaskGroup) -> None:
        """Return when the image may run.

        :raises Refusal: when it may not, or it takes too long to find out
        """
        if document.admission.require.detonated is None:
            return
        task = self._running.get(image.id)
        if task is None:
            task = tasks.create_task(self._detonated(image))
            self._running[image.id] = task
            task.add_done_callback(lambda _: self._running.pop(image.id, None))
        self._waiting += 1
        try:
            patience = document.admission.detonation_deadline_s if self._waiting <= _MAX_WAITING else _IMPATIENT_S
            done, _ = await asyncio.wait({task}, timeout=patience)
        finally:
            self._waiting -= 1
        if not done:
            refuse("start.detonating", f"image {image.name} is being detonated", "try again in a moment")
        if task.cancelled():
            refuse("start.no-detonation", f"the detonation of image {image.name} was stopped", "try again")
        detonation = task.result()
        if isinstance(detonation, PratiqueError):
            refuse("start.no-detonation", f"image {image.name} was not detonated: {detonation.what}", detonation.hint)
        fault = judge_detonation(detonation, document.admission)
        if fault:
            refuse(
                "start.detonation", f"image {image.name} may not run: {fault}", f"see 'pratique detonate {image.name}'"
            )

    async def _detonated(self, image: ImageIdentity) -> Detonation | PratiqueError:
        try:
            return await self._detonate(image)
        except PratiqueError as error:
            return error
        except Exception as error:  # noqa: BLE001  # it would end the task group and with it the guard
            _log.exception("a detonation failed", image=image.id)
            return PratiqueError(f"the detonation failed: {type(error).__name__}", hint="see the agent's log")
