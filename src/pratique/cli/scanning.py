"""Scans what a command's TARGET names, and keeps the report where this user may."""

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

import click

from pratique import config
from pratique.cli.target import name_of, path_of
from pratique.errors import EngineError, StoreError
from pratique.family import Fingerprint, own_elements
from pratique.model import Report
from pratique.pipelines.scan import Learn, nobody, scan_engine_image, scan_file
from pratique.pipelines.workers import Workers
from pratique.runtime import Engine
from pratique.store import Store


def scan_target(target: str, options: config.Options, *, learn: Learn = nobody) -> Report:
    """Scan what a target names.

    :param learn: is given what the image is made of

    :raises UsageError: when it says that it is a path and there is nothing
    :raises EngineError: when the engine does not answer, or knows no such image
    :raises ImageError: when the image cannot be read
    """
    path = path_of(target)
    if path is not None:
        return scan_file(path, advisories=options.advisories_path, learn=learn)

    with Workers(1) as pool:
        return asyncio.run(_scan_by_name(name_of(target), options, pool, learn))


def keep_report(report: Report, where: Path | str, fingerprints: Iterable[Fingerprint] = ()) -> None:
    """Store a report, and what its image is made of, where this user may.

    A scan by somebody who may not write there is still a scan.
    """
    if isinstance(where, Path) and not _writable(where):
        return
    try:
        with Store.open(where) as store:
            store.put_image(report.image, report.scanned_at)
            store.put_report(report)
            for fingerprint in fingerprints:
                store.families.put(fingerprint, own_elements(fingerprint).elements)
    except StoreError as error:
        click.echo(f"the report was not kept: {error.what}", err=True)


async def _scan_by_name(name: str, options: config.Options, pool: Workers, learn: Learn) -> Report:
    async with Engine.connect(options.docker_host) as engine:
        identity = await engine.image(name)
        if identity is None:
            msg = f"{name} is neither a file nor an image of the engine at {options.docker_host}"
            raise EngineError(msg, hint="'docker image ls' lists the engine's images")
        return await scan_engine_image(engine, identity.id, pool=pool, advisories=options.advisories_path, learn=learn)


def _writable(path: Path) -> bool:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(path if os.path.exists(path) else path.parent, os.W_OK)  # noqa: PTH110  # raises nothing
