"""Who an event is about: from a cgroup to a container to an image."""

from collections.abc import Callable
from typing import Final

from pratique.detections import Subject
from pratique.errors import EngineError
from pratique.model import Container, ImageIdentity
from pratique.pipelines.memory import Memory
from pratique.policy import Document
from pratique.runtime import Engine

_REMEMBERED: Final = 20_000
_BUILD_PREFIX: Final = "buildkit/"


class Subjects:
    """What is known of the containers and images of one engine; asks the engine for what is not known yet.

    Containers that are gone stay known for a while, since events about them may still arrive.
    """

    def __init__(self, engine: Engine, document: Callable[[], Document]) -> None:
        self._engine = engine
        self._document = document
        self._containers: Memory[str, Container] = Memory(_REMEMBERED)
        self._images: Memory[str, ImageIdentity] = Memory(_REMEMBERED)
        self._admitted: Memory[str, None] = Memory(_REMEMBERED)

    def admit(self, container_id: str) -> None:
        """Remember that a container has a ticket."""
        self._admitted[container_id] = None

    def is_admitted(self, container_id: str) -> bool:
        """Tell whether a container has a ticket."""
        return container_id in self._admitted

    def learn_container(self, container: Container) -> None:
        """Remember a container."""
        self._containers[container.id] = container

    def learn_image(self, image: ImageIdentity) -> None:
        """Remember an image."""
        self._images[image.id] = image

    def image_name(self, image_id: str) -> str:
        """Return a name for people: the policy's, else the image's first reference, else its short id."""
        entry = self._document().image(image_id)
        if entry is not None:
            return entry.name
        image = self._images.get(image_id)
        return image.name if image is not None else image_id.removeprefix("sha256:")[:12]

    async def of(self, name: str | None) -> Subject:
        """Describe the container behind a cgroup.

        :param name: a container's 64-hex id, ``buildkit/<id>`` for a build step, None when the cgroup is not known
        """
        if name is None or name.startswith(_BUILD_PREFIX):
            return Subject(container=name or "", container_name="build step" if name else "", build=bool(name))
        container = await self._container(name)
        if container is None:
            return Subject(container=name, container_name=name[:12], admitted=self.is_admitted(name))
        entry = self._document().image(container.image)
        return Subject(
            image=container.image,
            image_name=self.image_name(container.image),
            container=container.id,
            container_name=container.name,
            admitted=self.is_admitted(container.id),
            policy=entry.name if entry else "unlisted",
            may_change_metadata=entry is not None and entry.allow_changed_metadata,
        )

    async def _container(self, container_id: str) -> Container | None:
        known = self._containers.get(container_id)
        if known is not None:
            return known
        try:
            container = await self._engine.container(container_id)
            if container is None:
                return None
            if container.image not in self._images:
                image = await self._engine.image(container.image)
                if image is not None:
                    self.learn_image(image)
        except EngineError:
            return None  # the engine is away; the event keeps the container's id
        self.learn_container(container)
        return container
