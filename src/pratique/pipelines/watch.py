"""Protects a host for as long as it runs: scan, guard, watch, tell."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import Struct

from pratique.detections import Detector
from pratique.guard import Guard, install, serve, uninstall
from pratique.model import Decision, ImageId
from pratique.pipelines.account import Account, Status
from pratique.pipelines.admit import Admissions
from pratique.pipelines.enforce import Enforcement
from pratique.pipelines.follow import Follower
from pratique.pipelines.observe import Observer
from pratique.pipelines.prepare import only_agent, running_engine, scan_workers, settled_policy
from pratique.pipelines.recorder import Recorder
from pratique.pipelines.scan import scan_engine_image
from pratique.pipelines.subjects import Subjects
from pratique.policy import Document
from pratique.runtime import Engine, container_parents, mount_kernel_filesystems
from pratique.sensor import Parent, ParentKind, Sensor
from pratique.store import Store

_STATUS_EVERY_S: Final = 1.0
_POLICY_LOOK_S: Final = 0.5
_PRUNE_EVERY_S: Final = 3600.0


class Settings(Struct, frozen=True):
    """All that the agent needs to know of its host."""

    docker_host: str
    cgroup_parent: str
    store_path: Path
    advisories_path: Path
    policy_path: Path
    run_dir: Path
    pin_dir: Path
    plugin_name: str
    plugin_socket: Path
    daemon_json: Path
    install_guard: bool
    """Install the guard at the start and remove it at the end; otherwise only answer the engine's questions."""
    keep: bool
    """Leave the kernel's enforcement pinned at the end."""
    start_engine: bool
    """Start an engine where none runs and no init system would."""


async def protect(settings: Settings, account: Account, stop: asyncio.Event) -> None:
    """Protect this host until ``stop`` is set, then leave it as it was found.

    :raises PratiqueError: when protection cannot begin
    """
    async with AsyncExitStack() as undo:
        undo.enter_context(only_agent(settings.run_dir))
        for mounted in mount_kernel_filesystems():
            account.say(f"mounted {mounted}")
        state = settings.store_path.parent
        undo.enter_context(running_engine(settings.docker_host, state, account, may_start=settings.start_engine))
        agent = await undo.enter_async_context(_prepared(settings, account))
        sensor = await undo.enter_async_context(agent.sensor())
        await undo.enter_async_context(agent.guard())
        account.say("protecting; Ctrl-C ends it")
        await agent.run(sensor, stop)
        account.say("stopping")


class _Agent:
    """One run of the agent: the parts, and how they are joined."""

    def __init__(self, settings: Settings, account: Account, engine: Engine, token: str, parts: "_Parts") -> None:
        self._settings = settings
        self._account = account
        self._engine = engine
        self._token = token
        self._parts = parts

    @asynccontextmanager
    async def sensor(self) -> AsyncIterator[Sensor]:
        """Enforce in the kernel for as long as the block lasts; longer when asked to keep it."""
        settings, enforcement = self._settings, self._parts.enforcement
        await self._parts.follower.adopt()
        parents = [
            Parent(path=parent.path, kind=ParentKind.ALL if parent.exclusive else ParentKind.NAMED)
            for parent in container_parents(await self._engine.info(), settings.cgroup_parent)
        ]
        sensor = Sensor.open(parents, settings.pin_dir, enforcement.policies(), enforcement.bindings())
        try:
            for feature, state in sensor.features.items():
                if state == "live":
                    self._account.say(f"sensor: {feature} is live")
                else:
                    self._account.warn(f"sensor: {feature} is not live: {state}", "'pratique doctor' tells more")
            enforcement.attach(sensor)
            yield sensor
        finally:
            sensor.close(keep=settings.keep)
            self._account.say("enforcement stays in the kernel" if settings.keep else "enforcement lifted")

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Answer the engine's questions; install the guard for as long as the block lasts, if that is asked for."""
        settings, parts = self._settings, self._parts
        guard = Guard(
            lambda: parts.enforcement.document,
            self._engine,
            parts.admissions,
            self._decided,
            on_admitted=self._admitted,
            own_token=self._token,
        )
        async with guard, serve(guard, settings.plugin_socket):
            if not settings.install_guard:
                yield
                return
            target = EngineConfig(settings.daemon_json, settings.plugin_name, settings.docker_host)
            await asyncio.to_thread(install, target, settings.plugin_socket)
            self._account.say(f"guard: the engine asks for every request (plugin {settings.plugin_name})")
            try:
                yield
            finally:
                await asyncio.to_thread(uninstall, target)
                self._account.say(f"guard removed; {settings.daemon_json} is as it was")

    async def run(self, sensor: Sensor, stop: asyncio.Event) -> None:
        """Watch until told to stop."""
        parts = self._parts
        observer = Observer(sensor, parts.subjects, parts.detector, parts.recorder)
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(work)
                for work in (
                    observer.observe_events(),
                    observer.collect_flows(),
                    parts.follower.follow_containers(),
                    parts.follower.follow_images(),
                    self._every(_POLICY_LOOK_S, parts.enforcement.reload_if_changed),
                    self._every(_STATUS_EVERY_S, partial(self._tell_status, observer)),
                    self._every(_PRUNE_EVERY_S, lambda: parts.recorder.call(lambda store: store.prune(time.time()))),
                )
            ]
            await stop.wait()
            for task in running:
                task.cancel()

    async def _every(self, seconds: float, work: Callable[[], None]) -> None:
        while True:
            work()
            await asyncio.sleep(seconds)

    def _tell_status(self, observer: Observer) -> None:
        self._account.status(
            Status(
                containers=len(self._parts.follower.containers),
                images=len(self._parts.follower.images),
                flows=observer.flows,
                lost=observer.lost,
            )
        )

    def _decided(self, decision: Decision) -> None:
        self._parts.recorder.decision(decision)
        for alert in self._parts.detector.decided(decision):
            self._parts.recorder.alert(alert)

    async def _admitted(self, container_id: str, image_id: ImageId) -> None:
        self._parts.subjects.admit(container_id)
        self._parts.enforcement.bind(container_id, image_id)


class _Parts(Struct, frozen=True):
    recorder: Recorder
    enforcement: Enforcement
    subjects: Subjects
    admissions: Admissions
    follower: Follower
    detector: Detector


@asynccontextmanager
async def _prepared(settings: Settings, account: Account) -> AsyncIterator[_Agent]:
    """Open the store and the engine, settle the policy, join the parts."""
    token = secrets.token_hex(32)
    with Store.open(settings.store_path) as store, scan_workers() as workers:
        async with (
            Recorder.opened(store, account) as recorder,
            Engine.connect(settings.docker_host, token=token) as engine,
        ):
            enforcement = Enforcement(settings.policy_path, Document(), recorder, account)
            scan = partial(scan_engine_image, engine, pool=workers, advisories=settings.advisories_path)
            admissions = Admissions(scan, store, recorder, lambda: enforcement.document, account)
            try:
                enforcement.apply(await settled_policy(settings.policy_path, account, engine, admissions))
                subjects = Subjects(engine, lambda: enforcement.document)
                for record in store.containers():
                    if record.admitted:
                        subjects.admit(record.container.id)
                follower = Follower(engine, subjects, enforcement, admissions, recorder, account)
                parts = _Parts(recorder, enforcement, subjects, admissions, follower, Detector())
                yield _Agent(settings, account, engine, token, parts)
            finally:
                await admissions.stop()
