"""What the guard costs: creating and starting a container, and listing, with and without it, alternating in one run."""

import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

import docker

from benchmarks.row import Row
from pratique.guard import Guard, serve
from pratique.guard.install import Target, install, uninstall
from pratique.model import Behaviour, Decision, Detonation, ImageIdentity, Report
from pratique.policy import Document
from pratique.runtime import Engine
from testbed import images
from testbed.engine import ThrowAwayEngine

_ROUNDS = 6
_CONTAINERS = 12
_LISTS = 60


def run() -> list[Row]:
    """Return the medians of create+start and of a list, against an engine without the guard."""
    spent: dict[tuple[str, bool], list[float]] = {(what, on): [] for what in ("start", "list") for on in (False, True)}
    with ThrowAwayEngine() as engine:
        client = engine.client()
        images.base().load(client)
        path = Path("/run/docker/plugins") / f"{engine.plugin_name}.sock"
        target = Target(engine.daemon_json, engine.url, engine.plugin_name, path)
        context = multiprocessing.get_context("spawn")
        ready = context.Event()
        guard = context.Process(target=_guard, args=(engine.url, path, ready), daemon=True)
        guard.start()
        ready.wait(30)
        _measure(client, {key: [] for key in spent}, guarded=False)
        for _ in range(_ROUNDS):
            _measure(client, spent, guarded=False)
            install(target)
            _measure(client, spent, guarded=True)
            uninstall(target)
        guard.terminate()
        guard.join()
        client.close()
    return [
        Row(name, statistics.median(spent[what, False]), statistics.median(spent[what, True]), "ms")
        for what, name in (
            ("start", "create+start of a container, with the guard"),
            ("list", "GET /containers/json, with the guard"),
        )
    ]


def _measure(client: docker.DockerClient, spent: dict[tuple[str, bool], list[float]], *, guarded: bool) -> None:
    for _ in range(_CONTAINERS):
        spent["start", guarded].append(_milliseconds(lambda: _start(client)))
        for old in client.containers.list(all=True):
            old.remove(force=True)
    for _ in range(_LISTS):
        spent["list", guarded].append(_milliseconds(client.api.containers))


def _start(client: docker.DockerClient) -> None:
    client.containers.create("alpine-like/base:1", ["true"], network_mode="none").start()


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


class _Known:
    """Every image has a report already, as in steady state."""

    async def report(self, image: ImageIdentity) -> Report:
        """Return an empty report."""
        return Report(image=image, scanned_at=0, duration_s=0)

    async def objection(self, report: Report) -> str:
        """Return that the image's family has nothing against it."""
        del report
        return ""

    async def detonation(self, image: ImageIdentity) -> Detonation:
        """Return a clean detonation."""
        return Detonation(image, 0, 1, (), Behaviour.CLEAN, "clean")


def _guard(url: str, path: Path, ready: Event) -> None:
    async def answer() -> None:
        async with Engine.connect(url, token="bench") as engine:
            guard = Guard(Document, engine, _Known(), _forget, own_token="bench")
            async with guard, serve(guard, path):
                ready.set()
                await asyncio.Event().wait()

    asyncio.run(answer())


def _forget(decision: Decision) -> None:
    del decision
