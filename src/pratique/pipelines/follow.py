"""Follows what an engine does: containers and images that come and go, also behind the guard's back."""

import asyncio
import time
from contextlib import suppress
from typing import Final

from pratique.detections import image_found, intruder
from pratique.errors import EngineError, PratiqueError
from pratique.model import Container, ImageId
from pratique.pipelines.account import Account
from pratique.pipelines.admit import Admissions
from pratique.pipelines.enforce import Enforcement
from pratique.pipelines.recorder import Recorder
from pratique.pipelines.subjects import Subjects
from pratique.runtime import Engine, EngineEvent, host_addresses

_CHANGES: Final = frozenset({"create", "start", "die", "rename"})
"""After which a container is looked at anew."""
_RETRY_S: Final = 0.5
_ARRIVALS_EVERY_S: Final = 2.0


class Follower:
    """Keeps subjects, bindings and the store in step with the engine, across the engine's restarts."""

    def __init__(
        self,
        engine: Engine,
        subjects: Subjects,
        enforcement: Enforcement,
        admissions: Admissions,
        recorder: Recorder,
        account: Account,
    ) -> None:
        self._engine = engine
        self._subjects = subjects
        self._enforcement = enforcement
        self._admissions = admissions
        self._recorder = recorder
        self._account = account
        self._arrival = asyncio.Event()
        self.images: frozenset[ImageId] = frozenset()
        self.containers: set[str] = set()
        self.data_root: tuple[str, ...] = ()
        """The folder of the engine's data; nothing while it is not known."""

    async def adopt(self) -> None:
        """Take in every container that is there."""
        self.data_root = ((await self._engine.info()).root_dir,)
        addresses = host_addresses()
        self._recorder.call(lambda store: store.graph.put_host_addresses(addresses, time.time()))
        containers = await self._engine.containers()
        self.containers = {container.id for container in containers}
        for container in containers:
            self._take_in(container)

    async def follow_containers(self) -> None:
        """Handle the engine's events for ever; when the engine goes away, wait for it and look at everything anew."""
        away = False
        while True:
            try:
                async with self._engine.listen() as events:
                    await self.adopt()
                    if away:
                        self._account.say("the engine is back")
                    away = False
                    async for event in events:
                        await self._handle(event)
                self._account.say("the engine closed its event stream")
            except EngineError as error:
                if not away:
                    self._account.warn(f"the engine is away: {error.what}", "what runs stays under its policy")
                away = True
            await asyncio.sleep(_RETRY_S)

    async def follow_images(self) -> None:
        """Scan each image that appears, whatever way it came. BuildKit announces none: so look every few seconds."""
        async with asyncio.TaskGroup() as scans:
            while True:
                if self._admissions.advisories_changed():
                    self.images = frozenset()  # look at every image again
                with suppress(EngineError):  # told by follow_containers
                    present = await self._engine.image_ids()
                    for image_id in present - self.images:
                        scans.create_task(self._arrived(image_id))
                    self.images = present
                with suppress(TimeoutError):
                    async with asyncio.timeout(_ARRIVALS_EVERY_S):
                        await self._arrival.wait()
                self._arrival.clear()

    async def _arrived(self, image_id: ImageId) -> None:
        try:
            image = await self._engine.image(image_id)
            if image is None:
                return
            self._subjects.learn_image(image)
            self._recorder.call(lambda store: store.put_image(image, time.time()))
            report = await self._admissions.current(image)
        except PratiqueError:
            return  # told by the book of reports, and the image may not run
        for alert in image_found(report, time.time()):
            self._recorder.alert(alert)

    async def _handle(self, event: EngineEvent) -> None:
        if event.kind == "image":
            self._arrival.set()
        if event.kind != "container":
            return
        if event.action in _CHANGES:
            container = await self._engine.container(event.id)
            if container is None:
                return
            self._take_in(container)
            if event.action == "start" and not self._subjects.is_admitted(container.id):
                name = self._subjects.image_name(container.image)
                self._recorder.alert(intruder(container, event.at, image_name=name))
        elif event.action == "destroy":
            self.containers.discard(event.id)
            self._enforcement.forget(event.id)
            self._recorder.call(lambda store: store.container_gone(event.id, event.at))
            self._recorder.call(lambda store: store.quarantines.remove(event.id))

    def _take_in(self, container: Container) -> None:
        self.containers.add(container.id)
        self._subjects.learn_container(container)
        self._enforcement.bind(container.id, container.image)
        admitted = self._subjects.is_admitted(container.id)
        name = self._enforcement.policy_name(container.image)
        self._recorder.call(lambda store: store.put_container(container, name, admitted, time.time()))
