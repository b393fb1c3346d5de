"""Protects a host for as long as it runs: scan, guard, watch, tell."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from socket import gethostname
from typing import Final

from msgspec import Struct

from pratique.detections import Detector, posture
from pratique.errors import EngineError
from pratique.guard import Guard, serve
from pratique.guard.install import Target, install, uninstall
from pratique.model import Decision, Flow, ImageId, PublishedPort
from pratique.pipelines.account import Account, Status
from pratique.pipelines.admit import Admissions
from pratique.pipelines.behaviours import Behaviours, detonate, sandbox_worker
from pratique.pipelines.console import ConsoleSettings, console_beside
from pratique.pipelines.detonate import SANDBOX
from pratique.pipelines.enforce import Enforcement
from pratique.pipelines.exposed import open_endpoints
from pratique.pipelines.families import FamilyWatch
from pratique.pipelines.follow import Follower
from pratique.pipelines.kinship import Kinship
from pratique.pipelines.loading import Loading
from pratique.pipelines.observe import Observer
from pratique.pipelines.prepare import make_policy, only_agent, privileged, running_engine, scan_workers
from pratique.pipelines.quarantine import keep_quarantines
from pratique.pipelines.recorder import Recorder
from pratique.pipelines.respond import CAPTURES, Responder
from pratique.pipelines.scan import scan_engine_image
from pratique.pipelines.subjects import Subjects
from pratique.pipelines.telling import TellingSettings, telling
from pratique.runtime import Engine, container_parents, mount_kernel_filesystems, systemd_is_running
from pratique.runtime.exposure import engine_processes, only_behind, read_engine_config
from pratique.sensor import Parent, ParentKind, Sensor
from pratique.store import Store

_STATUS_EVERY_S: Final = 1.0
_POLICY_LOOK_S: Final = 0.5
_ENGINE_LOOK_S: Final = 1.0
_PRUNE_EVERY_S: Final = 3600.0


class Settings(Struct, frozen=True):
    """All that the agent needs to know of its host."""

    docker_host: str
    cgroup_parent: str
    store: Path | str
    state_dir: Path
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
    retention_days: int = 30
    """How long flows and alerts are kept."""
    console: ConsoleSettings | None = None
    """The console in a browser, if there is to be one."""
    telling: TellingSettings = TellingSettings(Path("/etc/pratique/notify.yaml"))


async def protect(settings: Settings, account: Account, stop: asyncio.Event) -> None:
    """Protect this host until ``stop`` is set, then leave it as it was found.

    :raises PratiqueError: when protection cannot begin
    """
    async with AsyncExitStack() as undo:
        async with _broken_off_by(stop):
            privileged()
            undo.enter_context(only_agent(settings.run_dir))
            for mounted in mount_kernel_filesystems():
                account.say(f"mounted {mounted}")
            starting = running_engine(
                settings.docker_host, settings.state_dir, account, may_start=settings.start_engine
            )
            undo.enter_context(starting)
            agent = await undo.enter_async_context(_assembled(settings, account))
            await undo.enter_async_context(agent.answering())
            await agent.settle_policy()
            sensor = await undo.enter_async_context(agent.enforcing())
            await undo.enter_async_context(agent.installed())
            await undo.enter_async_context(agent.console())
            account.say("protecting; Ctrl-C ends it" if settings.install_guard else "protecting")
        if not stop.is_set():
            await agent.run(sensor, stop)
        account.say("stopping")


@asynccontextmanager
async def _broken_off_by(stop: asyncio.Event) -> AsyncIterator[None]:
    """Break the block off when an event is set, as :func:`asyncio.timeout` does when time is up."""
    block = asyncio.current_task()
    assert block is not None

    async def watch() -> None:
        await stop.wait()
        block.cancel()

    watching = asyncio.ensure_future(watch())
    try:
        yield
    except asyncio.CancelledError:
        if not stop.is_set() or block.uncancel():
            raise
    finally:
        watching.cancel()


class _Agent:
    """One run of the agent: the parts, and how they are joined."""

    def __init__(self, settings: Settings, account: Account, engine: Engine, token: str, parts: "_Parts") -> None:
        self._settings = settings
        self._account = account
        self._engine = engine
        self._token = token
        self._parts = parts
        self._failed = False
        """Whether it ended by an error while it protected: then it fails closed."""

    async def settle_policy(self) -> None:
        """Put the policy file into force; where there is none, make the first policy from what the engine runs.

        A service may be up before its engine, which waits for it: then wait for the engine.
        """
        settings, enforcement = self._settings, self._parts.enforcement
        if settings.policy_path.exists():
            enforcement.load()
            return
        waits = False
        while True:
            try:
                await make_policy(settings.policy_path, self._account, self._engine, self._parts.admissions)
                break
            except EngineError:
                if settings.install_guard:
                    raise
                if not waits:
                    self._account.say("no policy yet, so waiting for the engine to see what runs there")
                waits = True
                await asyncio.sleep(_ENGINE_LOOK_S)
        enforcement.load()

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Answer the engine's questions for as long as the block lasts. It asks before it serves its own API."""
        parts = self._parts
        state_dir = str(self._settings.state_dir)
        guard = Guard(
            lambda: parts.enforcement.document,
            self._engine,
            parts.admissions,
            self._decided,
            on_admitted=self._admitted,
            own_token=self._token,
            sensitive_paths=lambda: (state_dir, *parts.follower.data_root),
        )
        async with guard, serve(guard, self._settings.plugin_socket):
            yield

    @asynccontextmanager
    async def enforcing(self) -> AsyncIterator[Sensor]:
        """Enforce in the kernel for as long as the block lasts; longer when asked to keep it."""
        settings, enforcement = self._settings, self._parts.enforcement
        driver = "systemd" if systemd_is_running() else "cgroupfs"
        try:
            await self._parts.follower.adopt()
            driver = (await self._engine.info()).cgroup_driver
        except EngineError:
            if settings.install_guard:
                raise
            self._account.say("the engine is not up yet; enforcing what is known from before")
        parents = [
            Parent(path=parent.path, kind=ParentKind.ALL if parent.exclusive else ParentKind.NAMED)
            for parent in container_parents(driver, settings.cgroup_parent)
        ]
        await self._parts.families.settle(enforcement.images())
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
            keep = settings.keep or self._failed
            sensor.close(keep=keep)
            self._account.say("enforcement stays in the kernel" if keep else "enforcement lifted")

    @asynccontextmanager
    async def installed(self) -> AsyncIterator[None]:
        """Have the engine ask the guard for as long as the block lasts, if that is wanted."""
        settings = self._settings
        if not settings.install_guard:
            yield
            return
        target = Target(settings.daemon_json, settings.docker_host, settings.plugin_name, settings.plugin_socket)
        installing = asyncio.ensure_future(asyncio.to_thread(install, target))
        try:
            await asyncio.shield(installing)
            self._account.say(f"guard: the engine asks for every request (plugin {settings.plugin_name})")
            yield
        finally:
            await asyncio.wait({installing})  # a thread cannot be broken off; what failed is undone already
            if self._failed:
                self._account.warn(
                    "the guard stays: the engine refuses every request until Pratique runs again",
                    "start it again, or give up protection with 'pratique guard uninstall'",
                )
            elif not installing.exception():
                await asyncio.to_thread(uninstall, target)
                self._account.say(f"guard removed; {settings.daemon_json} is as it was")

    def console(self) -> AbstractAsyncContextManager[None]:
        """Have the console served for as long as the block lasts."""
        return console_beside(self._settings.console, self._parts.store, self._account)

    async def run(self, sensor: Sensor, stop: asyncio.Event) -> None:
        """Watch until told to stop. Whatever else ends it leaves guard and enforcement where they are."""
        try:
            await self._watch(sensor, stop)
        except BaseException:
            self._failed = True
            raise

    async def _watch(self, sensor: Sensor, stop: asyncio.Event) -> None:
        parts = self._parts
        await self._judge_posture()
        observer = Observer(sensor, parts.subjects, parts.detector, parts.recorder, parts.loading, parts.recorded_flows)
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(work)
                for work in (
                    observer.observe_events(),
                    observer.collect_flows(),
                    parts.follower.follow_containers(),
                    parts.follower.follow_images(),
                    parts.families.run(),
                    keep_quarantines(parts.store, parts.enforcement, parts.recorder, self._account),
                    self._responder().run(),
                    self._every(_POLICY_LOOK_S, parts.enforcement.reload_if_changed),
                    self._every(_STATUS_EVERY_S, partial(self._tell_status, observer)),
                    self._every(_PRUNE_EVERY_S, self._prune),
                )
            ]
            await stop.wait()
            for task in running:
                task.cancel()
        await observer.count_flows()

    def _responder(self) -> Responder:
        parts, folder = self._parts, self._settings.state_dir / CAPTURES
        responder = Responder(
            lambda: parts.enforcement.document, self._engine, parts.store, parts.recorder, self._account, folder
        )
        parts.recorder.listen(responder.hear)
        return responder

    async def _judge_posture(self) -> None:
        processes = only_behind(self._settings.docker_host, engine_processes())
        published: list[PublishedPort] = []
        with suppress(EngineError):  # told by the follower
            published += [port for one in await self._engine.containers() if one.running for port in one.published]
        endpoints = open_endpoints(read_engine_config(self._settings.daemon_json), processes, published)
        for alert in posture(endpoints, time.time()):
            self._parts.recorder.alert(alert)

    async def _every(self, seconds: float, work: Callable[[], None]) -> None:
        while True:
            work()
            await asyncio.sleep(seconds)

    def _prune(self) -> None:
        days = self._settings.retention_days
        self._parts.recorder.call(lambda store: store.prune(time.time(), retention_days=days))

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
    store: Store
    recorder: Recorder
    enforcement: Enforcement
    subjects: Subjects
    admissions: Admissions
    follower: Follower
    families: FamilyWatch
    detector: Detector
    loading: Loading

    def recorded_flows(self, since: float) -> Sequence[Flow]:
        """Return the flows that are stored."""
        return [record.flow for record in self.store.flows(since=since)]


@asynccontextmanager
async def _assembled(settings: Settings, account: Account) -> AsyncIterator[_Agent]:
    """Open the store and the engine's client and join the parts."""
    token = secrets.token_hex(32)
    sandbox_work = settings.state_dir / SANDBOX
    with (
        Store.open(settings.store, host=gethostname()) as store,
        scan_workers() as workers,
        sandbox_worker(sandbox_work) as keeper,
    ):
        async with (
            telling(settings.telling, store, account) as told,
            Recorder.opened(store, told.account, told.count) as recorder,
            Engine.connect(settings.docker_host, token=token) as engine,
        ):
            account = told.account
            enforcement = Enforcement(settings.policy_path, recorder, account)
            subjects = Subjects(engine, lambda: enforcement.document)
            _recall(store, enforcement, subjects)
            kinship = Kinship(store, recorder, lambda: enforcement.document, enforcement.inherit)
            loading = Loading(store, recorder)
            scan = partial(
                scan_engine_image,
                engine,
                pool=workers,
                advisories=settings.advisories_path,
                learn=kinship.learn,
                learn_code=loading.learn,
                learn_programs=lambda found: recorder.call(lambda store: store.put_programs(found)),
            )
            run = partial(told.counted, partial(detonate, engine, sandbox_work, keeper))
            behaviours = Behaviours(run, store, recorder, lambda: enforcement.document, account)
            admissions = Admissions(
                scan,
                store,
                recorder,
                lambda: enforcement.document,
                account,
                settings.advisories_path,
                kinship,
                behaviours,
            )
            follower = Follower(engine, subjects, enforcement, admissions, recorder, account)
            families = FamilyWatch(kinship, admissions, lambda: follower.images, store, recorder, account)
            parts = _Parts(store, recorder, enforcement, subjects, admissions, follower, families, Detector(), loading)
            try:
                yield _Agent(settings, account, engine, token, parts)
            finally:
                await admissions.stop()


def _recall(store: Store, enforcement: Enforcement, subjects: Subjects) -> None:
    """Take over what an earlier agent knew: containers, who was admitted, and who is in quarantine."""
    for record in store.containers():
        enforcement.bind(record.container.id, record.container.image)
        if record.admitted:
            subjects.admit(record.container.id)
    enforcement.isolate(frozenset(quarantine.container for quarantine in store.quarantines.all()))
