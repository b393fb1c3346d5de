"""Detonates an image: lay it out, run it sealed off, judge what it did, and put it into one document.

The image is opened and run in a process of its own, so that hostile bytes are parsed elsewhere and a loop stays free;
what the sandbox itself keeps apart, see there. One run at a time on a host: it is given a whole processor and much
memory, and twins would disturb each other's measure.
"""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from pratique import image as images
from pratique.detections import conclude, judge_recording
from pratique.errors import EngineError, HostError, ImageError
from pratique.model import Behaviour, Detonation, ImageId, ImageIdentity
from pratique.pipelines.spool import spooled
from pratique.runtime import Engine
from pratique.sandbox import Options as SandboxOptions
from pratique.sandbox import run
from pratique.store import Store

SANDBOX: Final = "sandbox"
"""The sandbox's directory, below that of the state."""
_LOCK: Final = "lock"


class Options(Struct, frozen=True):
    """How to detonate."""

    work: str
    """A directory of this host for images that are laid out, and for the lock that keeps it to one run at a time."""
    sandbox: SandboxOptions = SandboxOptions()
    image: images.Options = images.Options()


def detonate_file(path: Path, options: Options, *, identity: ImageIdentity | None = None) -> Detonation:
    """Detonate the image in an archive or a layout. Waits while another one is detonated on this host.

    :param identity: the image that it must be, as its engine describes it
    :raises ImageError: when it cannot be read, lies about itself, or is another image
    :raises SandboxError: when this host cannot run an image sealed off
    :raises HostError: when this user may not
    """
    if os.geteuid():
        msg = "detonating an image takes root: to make namespaces and to load programs into the kernel"
        raise HostError(msg, hint="run it as root")
    with images.open_image(path, options.image) as image:
        if identity is not None and identity.id not in image.digests:
            msg = f"the engine gave image {image.identity.id} in place of {identity.id}"
            raise ImageError(msg)
        with _only_run(Path(options.work)) as work:
            recording = asyncio.run(run(image, work, options.sandbox))
    if identity is not None:
        recording = msgspec.structs.replace(recording, image=identity)
    return conclude(recording, judge_recording(recording))


async def detonate_engine_image(engine: Engine, image_id: ImageId, options: Options, *, pool: Executor) -> Detonation:
    """Detonate an image of an engine in a worker of ``pool``.

    :raises EngineError: when the engine does not know the image, or does not hand it out
    :raises ImageError: as :func:`detonate_file`
    :raises HostError: as :func:`detonate_file`
    """
    identity = await engine.image(image_id)
    if identity is None:
        msg = f"the engine has no image {image_id}"
        raise EngineError(msg)
    async with spooled(engine, identity.id, options.image) as path:
        work = asyncio.get_running_loop().run_in_executor(pool, _detonate_in_worker, str(path), options, identity)
        try:
            return msgspec.msgpack.decode(await work, type=Detonation)
        except (BrokenExecutor, MemoryError) as error:
            msg = f"the process that detonated image {identity.id} died"
            raise ImageError(msg, hint="is there enough memory? The kernel's log tells what it killed") from error


def keep(store: Store, detonation: Detonation) -> None:
    """Store a detonation; a bad one condemns its image."""
    store.put_image(detonation.image, detonation.detonated_at)
    store.detonations.put(detonation)
    if detonation.verdict is Behaviour.BAD:
        store.families.condemn(detonation.image.id, detonation.detonated_at, detonation.reason, "detonation")


def _detonate_in_worker(path: str, options: Options, identity: ImageIdentity) -> bytes:
    """Detonate in a worker process; the document comes back as bytes that the agent decodes by its type."""
    return msgspec.msgpack.encode(detonate_file(Path(path), options, identity=identity))


@contextmanager
def _only_run(work: Path) -> Iterator[Path]:
    """Hold the lock of the directory in which images are laid out; wait for it.

    :raises HostError: when it cannot be made
    """
    try:
        work.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(work / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        msg = f"the sandbox's directory {work} cannot be used: {error.strerror}"
        raise HostError(msg, hint="choose another with --state-dir or PRATIQUE_STATE_DIR") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield work
    finally:
        os.close(descriptor)
