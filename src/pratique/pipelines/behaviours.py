"""What images did in the sandbox: known from before, or found out on demand."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pratique import sandbox
from pratique.detections import image_behaved
from pratique.errors import PratiqueError, SandboxError
from pratique.model import Detonation, ImageId, ImageIdentity
from pratique.pipelines.account import Account
from pratique.pipelines.detonate import Options, detonate_engine_image, keep
from pratique.pipelines.recorder import Recorder
from pratique.pipelines.workers import Workers
from pratique.policy import Document
from pratique.runtime import Engine
from pratique.store import Store

Detonate = Callable[[ImageId, float], Awaitable[Detonation]]
"""Detonate the image with this id for so many seconds."""


class Behaviours:
    """The book of detonations. One detonation an image at a time; the sandbox itself runs one after the other."""

    def __init__(
        self,
        detonate: Detonate,
        store: Store,
        recorder: Recorder,
        document: Callable[[], Document],
        account: Account,
    ) -> None:
        self._detonate = detonate
        self._store = store
        self._recorder = recorder
        self._document = document
        self._account = account
        self._running: dict[ImageId, asyncio.Task[Detonation]] = {}
        self._turn = asyncio.Lock()
        """Whoever waits for the sandbox has not had the engine export his image yet: a hundred would fill the disk."""

    async def detonation(self, image: ImageIdentity) -> Detonation:
        """Return an image's detonation, detonating the image when there is none.

        A caller that stops waiting does not stop the run: the next one finds it further on.

        :raises PratiqueError: when it failed
        """
        task = self._running.get(image.id)
        if task is None:
            known = await asyncio.to_thread(self._store.detonations.get, image.id)
            if known is not None:
                return known
            task = self._running.get(image.id)
        if task is None:
            task = asyncio.ensure_future(self._detonated(image.id))
            self._running[image.id] = task
            task.add_done_callback(lambda done: self._finished(image, done))
        return await asyncio.shield(task)

    async def stop(self) -> None:
        """End the runs that are under way."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _detonated(self, image_id: ImageId) -> Detonation:
        async with self._turn:
            detonation = await self._detonate(image_id, self._document().admission.detonate_for_s)
        self._recorder.call(lambda store: keep(store, detonation))
        self._account.say(f"detonated {detonation.image.name}: {detonation.verdict}: {detonation.reason}")
        for alert in image_behaved(detonation, time.time()):
            self._recorder.alert(alert)
        await self._recorder.durable()  # whoever asks next looks into the store
        return detonation

    def _finished(self, image: ImageIdentity, task: asyncio.Task[Detonation]) -> None:
        self._running.pop(image.id, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            hint = error.hint if isinstance(error, PratiqueError) else ""
            self._account.warn(f"image {image.name} was not detonated: {error}", hint)


@contextmanager
def sandbox_worker(work: Path) -> Iterator[Workers]:
    """Hold the process in which images are detonated; a run under way is given up at the end.

    What a run left that was killed with all its keepers is ended first: a miner in it would go on mining.

    :param work: the sandbox's directory
    """
    with suppress(SandboxError, OSError):  # the next run tries again, and says so
        sandbox.sweep(work)
    worker = Workers(1)
    try:
        yield worker
    finally:
        worker.shutdown(wait=False, cancel_futures=True)


async def detonate(engine: Engine, work: Path, worker: Workers, image_id: ImageId, for_s: float) -> Detonation:
    """Detonate an engine's image.

    :param work: the sandbox's directory
    :raises PratiqueError: when it failed
    """
    options = Options(str(work), sandbox.Options(for_s=for_s))
    return await detonate_engine_image(engine, image_id, options, pool=worker)
