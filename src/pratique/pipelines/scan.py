"""Scans an image: open it, analyse it, match its packages, and put it into one report.

The work is the processor's. An asyncio process leaves it to a pool of worker processes, so that its loop stays free
and hostile bytes are parsed elsewhere.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor
from pathlib import Path

import msgspec
from msgspec import Struct

from pratique import analyzers
from pratique import image as images
from pratique.advisories import Database
from pratique.errors import EngineError, ImageError, StoreError
from pratique.family import Fingerprint
from pratique.model import Finding, ImageCode, ImageId, ImageIdentity, ImagePrograms, Package, Report, Unread
from pratique.pipelines.spool import spooled
from pratique.runtime import Engine


class Options(Struct, frozen=True):
    """The bounds of a scan."""

    image: images.Options = images.Options()
    analysis: analyzers.Options = analyzers.Options()


Learn = Callable[[Fingerprint], None]
LearnCode = Callable[[ImageCode], None]
LearnPrograms = Callable[[ImagePrograms], None]


def nobody(fact: Fingerprint | ImageCode | ImagePrograms) -> None:
    """Forget what an image is made of."""
    del fact


class _Scanned(Struct, frozen=True):
    report: Report
    fingerprint: Fingerprint
    code: ImageCode
    programs: ImagePrograms


def scan_file(
    path: Path,
    options: Options | None = None,
    *,
    advisories: Path | None = None,
    identity: ImageIdentity | None = None,
    learn: Learn = nobody,
    learn_code: LearnCode = nobody,
    learn_programs: LearnPrograms = nobody,
) -> Report:
    """Scan the image in an archive or a layout.

    :param advisories: the advisory database; where there is none, the report's ``advisories_at`` is 0
    :param identity: the image that it must be, as its engine describes it
    :param learn: is given what the image is made of, before the report is returned
    :param learn_code: likewise, which files are its packages' code
    :param learn_programs: likewise, the contents of its programs
    :raises ImageError: when it cannot be read, lies about itself, or is another image
    """
    options = options or Options()
    started, clock = time.time(), time.monotonic()
    with images.open_image(path, options.image) as image:
        if identity is not None and identity.id not in image.digests:
            msg = f"the engine gave image {image.identity.id} in place of {identity.id}"
            raise ImageError(msg)
        facts = analyzers.analyze(image, options.analysis)
        fingerprint = analyzers.take_fingerprint(image, options.analysis)
        code = analyzers.find_code(image, facts.packages, options.analysis)
        programs = analyzers.take_programs(image, options.analysis)
        packages = analyzers.with_layers(image, facts.packages, options.analysis)
        about = image.identity if identity is None else _completed(identity, image.identity)
    learn(msgspec.structs.replace(fingerprint, image=about.id))
    learn_code(msgspec.structs.replace(code, image=about.id))
    learn_programs(msgspec.structs.replace(programs, image=about))
    vulnerabilities, advisories_at, unread = _match(facts.packages, advisories)
    return Report(
        image=about,
        scanned_at=started,
        duration_s=time.monotonic() - clock,
        distribution=facts.distribution,
        packages=packages,
        findings=(*facts.findings, *vulnerabilities),
        unread=(*facts.unread, *unread),
        advisories_at=advisories_at,
        files=facts.files,
    )


async def scan_engine_image(
    engine: Engine,
    image_id: ImageId,
    options: Options | None = None,
    *,
    pool: Executor,
    advisories: Path | None = None,
    learn: Learn = nobody,
    learn_code: LearnCode = nobody,
    learn_programs: LearnPrograms = nobody,
) -> Report:
    """Scan an image of an engine in a worker of ``pool``.

    The export is spooled to a file in a private directory, which is gone when this returns or is cancelled.

    :raises EngineError: when the engine does not know the image, or does not hand it out
    :raises ImageError: as :func:`scan_file`
    """
    options = options or Options()
    identity = await engine.image(image_id)
    if identity is None:
        msg = f"the engine has no image {image_id}"
        raise EngineError(msg)
    async with spooled(engine, identity.id, options.image) as path:
        work = asyncio.get_running_loop().run_in_executor(
            pool, _scan_in_worker, str(path), options, str(advisories or ""), identity
        )
        try:
            scanned = msgspec.msgpack.decode(await work, type=_Scanned)
        except (BrokenExecutor, MemoryError) as error:
            msg = f"the process that scanned image {identity.id} died"
            raise ImageError(msg, hint="is there enough memory? The kernel's log tells what it killed") from error
    learn(scanned.fingerprint)
    learn_code(scanned.code)
    learn_programs(scanned.programs)
    return scanned.report


def _scan_in_worker(path: str, options: Options, advisories: str, identity: ImageIdentity) -> bytes:
    """Scan in a worker process; what comes back is bytes that the agent decodes by their type."""
    fingerprints: list[Fingerprint] = []
    code: list[ImageCode] = []
    programs: list[ImagePrograms] = []
    report = scan_file(
        Path(path),
        options,
        advisories=Path(advisories) if advisories else None,
        identity=identity,
        learn=fingerprints.append,
        learn_code=code.append,
        learn_programs=programs.append,
    )
    return msgspec.msgpack.encode(_Scanned(report, fingerprints[0], code[0], programs[0]))


def _match(packages: tuple[Package, ...], path: Path | None) -> tuple[list[Finding], float, list[Unread]]:
    """Return vulnerabilities, the age of the data, and what could not be asked; a missing database is no error."""
    try:
        if path is None or not path.exists():
            return [], 0.0, []
        with Database.open(path) as database:
            return database.match(packages), database.built_at, []
    except StoreError as error:
        return [], 0.0, [Unread(path="advisory database", reason=error.what)]
    except OSError as error:
        return [], 0.0, [Unread(path="advisory database", reason=f"{path}: {error.strerror}")]


def _completed(engine: ImageIdentity, image: ImageIdentity) -> ImageIdentity:
    """Return what the engine says, with the layers as they were verified."""
    return msgspec.structs.replace(engine, layers=image.layers)
