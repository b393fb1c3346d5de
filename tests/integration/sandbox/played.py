"""Runs in the sandbox, of images made for one test."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from pratique.image import open_image
from pratique.model import BaitEvent, ConversationEvent, PrivilegeEvent, Recording, Service, WriteEvent
from pratique.sandbox import Options, run
from testbed import images

WORK: Final = Path(f"/var/tmp/pratique-sandbox-tests-{os.getpid()}")


def image(files: Mapping[str, bytes | str] | None = None, **config: Any) -> images.Image:
    """The base with these files on top, executable where their name says ``bin/``."""
    names = tuple(name for name in files or {} if "bin/" in name)
    layers = (images.archive(files, executable=names),) if files else ()
    return images.Image("test/played:1", (*images.base().layers, *layers), config)


def play(what: str | images.Image, work: Path = WORK, **options: Any) -> Recording:
    """Run an image, or a shell script in the base; for 20 seconds at most, if nothing else is said."""
    if isinstance(what, str):
        what = image(Cmd=["/bin/sh", "-c", what])
    work.mkdir(mode=0o700, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=work) as file:
        file.write(what.archive)
        file.flush()
        with open_image(Path(file.name)) as opened:
            return asyncio.run(run(opened, work, Options(**{"for_s": 20.0, **options})))


def conversations(recording: Recording, service: Service) -> list[ConversationEvent]:
    """The conversations of a kind."""
    return [e for e in recording.recorded if isinstance(e, ConversationEvent) and e.service is service]


def bites(recording: Recording) -> list[BaitEvent]:
    """The bait that was taken."""
    return [event for event in recording.recorded if isinstance(event, BaitEvent)]


def privileges(recording: Recording) -> dict[str, str]:
    """What was refused: call → argument."""
    return {event.call: event.argument for event in recording.recorded if isinstance(event, PrivilegeEvent)}


def writes(recording: Recording) -> dict[str, WriteEvent]:
    """What was written: path → event."""
    return {event.path: event for event in reversed(recording.recorded) if isinstance(event, WriteEvent)}


def remains() -> list[str]:
    """Whatever of a run of this process is still there: cgroups, pins, directories, mounts, processes."""
    mark = f"pratique-sandbox-{os.getpid()}-"
    found = [str(path) for path in (*Path("/sys/fs/cgroup").glob(f"*/{mark}*"), *Path("/sys/fs/bpf").glob(f"{mark}*"))]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"{mark}*")]
    found += [str(path) for path in WORK.glob("pratique-sandbox-*")]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if mark in line]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if "pratique.sandbox." in command and int(parent) in {os.getpid(), 1}:
            found.append(f"{process.name} {command}")
    return found


@cache
def compiled(name: str, source: str) -> bytes:
    """A static program of C source."""
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / name
        flags = ("-x", "c", "-", "-std=gnu11", "-O2", "-static", "-s")
        subprocess.run(["gcc", *flags, "-o", target], input=source.encode(), check=True)
        return target.read_bytes()
