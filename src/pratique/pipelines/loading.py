"""From opened files to the packages that a container uses."""

import asyncio
from collections.abc import Callable
from typing import Final

from pratique.detections import Subject
from pratique.model import CgroupEvent, ImageCode, LossEvent, OpenedEvent, PackageCode, SensorEvent
from pratique.pipelines.memory import Memory
from pratique.pipelines.recorder import Recorder
from pratique.store import Store

_REMEMBERED_IMAGES: Final = 64
_REMEMBERED: Final = 100_000
_SOURCE: Final = "opened/"
"""How losses of the feature ``opened`` begin."""
_CACHE: Final = "__pycache__/"
_Index = dict[str, list[PackageCode]]


class Loading:
    """Takes what the sensor tells; only what belongs to a package is kept, the first file of each a container."""

    def __init__(self, store: Store, recorder: Recorder) -> None:
        self._store = store
        self._recorder = recorder
        self._born: Memory[str, float] = Memory(_REMEMBERED)
        self._told: Memory[tuple[str, str, str], None] = Memory(_REMEMBERED)
        self._indexes: Memory[str, _Index] = Memory(_REMEMBERED_IMAGES)

    def learn(self, code: ImageCode) -> None:
        """Take in which files are the code of an image's packages."""
        self._indexes[code.image] = _index(code)
        self._recorder.call(lambda store: store.opened.put_code(code))

    async def take(self, event: SensorEvent, subject: Subject) -> None:
        """Take an event of the sensor.

        :param subject: whom it is about
        :raises StoreError: when the store cannot be read
        """
        match event:
            case CgroupEvent(created=True):
                self._born[event.container] = event.at
            case OpenedEvent() if subject.container and subject.image:
                await self._opened(event, subject.container, subject.image)
            case LossEvent() if event.source.startswith(_SOURCE):
                self._born.clear()
                self._recorder.call(lambda store: store.opened.forget_watched())
            case _:
                pass

    async def _opened(self, event: OpenedEvent, container: str, image: str) -> None:
        index = await self._index(image)
        born = self._born.pop(container, None)
        if born is not None and index:
            self._recorder.call(lambda store: store.opened.watch(container, image, born))
        path = _source(event.path.lstrip("/"))
        for package in index.get(path, ()):
            key = (container, package.name, package.source)
            if key not in self._told:
                self._told[key] = None
                self._recorder.call(_putting(container, package, path, event.at))

    async def _index(self, image: str) -> _Index:
        known = self._indexes.get(image)
        if known is None:
            known = _index(await asyncio.to_thread(self._store.opened.code, image))
            if known:  # else it is still being scanned
                self._indexes[image] = known
        return known


def _putting(container: str, package: PackageCode, path: str, at: float) -> Callable[[Store], None]:
    return lambda store: store.opened.put(container, package, path, at)


def _source(path: str) -> str:
    """Return the source of what Python compiled and opens in its place (PEP 3147), else the path."""
    folder, cache, name = path.rpartition(_CACHE)
    return f"{folder}{name.partition('.')[0]}.py" if cache else path


def _index(code: ImageCode) -> _Index:
    """Return whose file a path is."""
    index: _Index = {}
    for package in code.packages:
        for path in package.paths:
            index.setdefault(path, []).append(package)
    return index
