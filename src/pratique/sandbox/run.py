"""One run, as its caller sees it."""

import asyncio
import contextlib
import os
import platform
import secrets
import shutil
import sys
import threading
from pathlib import Path
from typing import Final

import msgspec

from pratique.errors import SandboxError
from pratique.image import ExtractOptions, Image, RunConfig, extract
from pratique.model import Recording, Unread
from pratique.sandbox import leftovers
from pratique.sandbox.job import Job, Outcome
from pratique.sandbox.numbers import MACHINES
from pratique.sandbox.options import Options

_IDS: Final = 65_536
_FIRST_ID: Final = 0x6000_0000
_RANGES: Final = 4_096
_NEEDED: Final = ("runc", "ip", "iptables-restore", "ip6tables-restore", "nsenter")
_ENDS_WITHIN_S: Final = 60.0
_STARTS_WITHIN_S: Final = 120.0


async def run(image: Image, work: Path, options: Options) -> Recording:
    """Run an image sealed off for a while, and return what it did.

    Nothing of the run is left when this returns, raises or is cancelled; what a killed run left is removed first.

    :param work: a private directory on disk, with room for the image's files
    :raises SandboxError: when this host cannot do it
    :raises ImageError: when the image cannot be laid out
    """
    check_host()
    name = leftovers.new_name()
    first_id = _FIRST_ID + secrets.randbelow(_RANGES) * _IDS
    await asyncio.to_thread(leftovers.sweep, work)
    tree = work / name / "tree"
    try:
        unread = await _lay_out(image, tree, ExtractOptions(first_id=first_id, max_bytes=options.max_image_bytes))
        job = Job(
            name=name,
            container=secrets.token_hex(32),
            tree=str(tree.absolute()),
            first_id=first_id,
            image=image.identity,
            config=image.config.config or RunConfig(),
            options=options,
            unread=tuple(unread),
        )
        return await _keep(job)
    finally:
        await _finally(name, work)


def check_host() -> None:
    """See that this host can run an image sealed off.

    :raises SandboxError: when it cannot
    """
    if os.geteuid():
        msg = "running an image sealed off takes root"
        raise SandboxError(msg, hint="run it as root")
    if platform.machine() not in MACHINES:
        msg = f"the sandbox does not know the machine {platform.machine()}"
        raise SandboxError(msg, hint=f"it runs on {' and '.join(sorted(MACHINES))}")
    missing = [program for program in _NEEDED if shutil.which(program) is None]
    if missing:
        msg = f"the sandbox needs {', '.join(missing)}"
        raise SandboxError(msg, hint="on Debian: apt-get install runc iproute2 iptables util-linux")
    from pratique.runtime import mount_kernel_filesystems  # noqa: PLC0415  # heavy, and the keeper's start waits for it

    mount_kernel_filesystems()


async def _lay_out(image: Image, tree: Path, options: ExtractOptions) -> list[Unread]:
    """Extract in a thread, which ends with this coroutine."""
    tree.parent.mkdir(parents=True, mode=0o700)
    stop = threading.Event()
    task = asyncio.get_running_loop().run_in_executor(None, extract, image, tree, options, stop.is_set)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        with contextlib.suppress(Exception):
            await task
        raise


async def _keep(job: Job) -> Recording:
    """Run a keeper and return what it recorded."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # nothing is imported from the current directory
        "-m",
        "pratique.sandbox.keeper",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        message = msgspec.msgpack.encode(job)
        process.stdin.write(len(message).to_bytes(4, sys.byteorder) + message)
        async with asyncio.timeout(job.options.for_s + _STARTS_WITHIN_S):
            answer, errors = await asyncio.gather(process.stdout.read(), process.stderr.read())
    except TimeoutError as error:
        msg = "the sandbox does not answer"
        raise SandboxError(msg) from error
    finally:
        await _end(process)
    if not answer:
        last = (errors.decode(errors="replace").strip().splitlines() or ["it does not say why"])[-1]
        msg = f"the sandbox's keeper failed: {last[:300]}"
        raise SandboxError(msg)
    outcome = msgspec.msgpack.decode(answer, type=Outcome)
    if outcome.recording is None:
        raise SandboxError(outcome.error, hint=outcome.hint)
    return outcome.recording


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close the keeper's input, upon which it takes everything away and ends; kill it when it does not."""
    assert process.stdin is not None
    process.stdin.close()
    waiting = asyncio.ensure_future(process.wait())
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ENDS_WITHIN_S):
                await asyncio.shield(waiting)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(waiting)


async def _finally(name: str, work: Path) -> None:
    """Remove what is left, even while this task is being cancelled."""
    removal = asyncio.get_running_loop().run_in_executor(None, leftovers.remove, name, work)
    try:
        await asyncio.shield(removal)
    except asyncio.CancelledError:
        await removal
        raise
