"""The guard: from the engine's question to a decision.

Facts are asked of the engine and of whoever has the reports, through the protocols below; the judging is pure.
"""

import asyncio
import contextlib
import hmac
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final, Protocol, Self

import structlog

from pratique.errors import PratiqueError
from pratique.guard import gojson, request
from pratique.guard.behaviour import BehaviourGate
from pratique.guard.container import Facts, Violation, needs, violations, volume_paths
from pratique.guard.judge import create_body, judge, judge_body
from pratique.guard.refusal import Refusal, refuse
from pratique.guard.request import ApiRequest, Call
from pratique.guard.routes import Power, find
from pratique.guard.settings import ExecBody, HostConfig, Inspected, MountPoint, Volume
from pratique.model import Decision, Detonation, Finding, ImageId, ImageIdentity, Report, Verdict
from pratique.policy import Document, Permit, judge_report
from pratique.text import printable

OWN_HEADER: Final = "X-Pratique-Agent"
"""The agent's own calls carry its token here and are let through."""

_MAX_JOINED: Final = 32
_MAX_MOUNTED: Final = 256
_MAX_WAITING: Final = 64
"""Requests that may wait for scans as long as the policy lets them; a flood of them must not keep others out."""
_PARDON: Final = "'pratique similar IMAGE' shows what it shares; 'pratique pardon IMAGE' vouches for an image"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")

_log = structlog.get_logger(__name__)


class EngineView(Protocol):
    """What the guard asks of the engine. Each answers ``None`` when there is no such thing."""

    async def image(self, reference: str) -> ImageIdentity | None:
        """Return what the engine resolves a reference to."""

    async def inspect_container(self, name: str) -> dict[str, Any] | None:
        """Return ``GET /containers/X/json``."""

    async def inspect_volume(self, name: str) -> dict[str, Any] | None:
        """Return ``GET /volumes/X``."""

    async def inspect_exec(self, exec_id: str) -> dict[str, Any] | None:
        """Return ``GET /exec/X/json``."""


class Reports(Protocol):
    """Whoever has, or makes, the report of an image."""

    async def report(self, image: ImageIdentity) -> Report:
        """Return the image's report, scanning it when there is none.

        :raises PratiqueError: when it cannot be scanned
        """

    async def detonation(self, image: ImageIdentity) -> Detonation:
        """Return what the image did in the sandbox, detonating it when that is not known.

        :raises PratiqueError: when it cannot be detonated
        """

    async def objection(self, report: Report) -> str:
        """Return why an image may not run although its report passes, or nothing.

        :raises PratiqueError: when that cannot be known
        """


async def _nothing(container: str, image: ImageId) -> None:
    """Do nothing when a container is admitted."""
    del container, image


class Guard:
    """Decides requests. Use as an asynchronous context: scans that were begun end with it."""

    def __init__(
        self,
        document: Callable[[], Document],
        engine: EngineView,
        reports: Reports,
        record: Callable[[Decision], None],
        *,
        on_admitted: Callable[[str, ImageId], Awaitable[None]] = _nothing,
        own_token: str = "",
        sensitive_paths: Callable[[], tuple[str, ...]] = tuple,
        deadline_s: float = 3.0,
    ) -> None:
        """Bind the guard to its surroundings.

        :param document: returns the policy in force
        :param record: keeps a decision; refusals, and what was let through that changes something
        :param on_admitted: awaited with container id and image id before a start is let through
        :param own_token: a random secret of this process; see :data:`OWN_HEADER`
        :param sensitive_paths: returns paths of this host that are sensitive beyond the usual ones
        :param deadline_s: for everything but the wait for a scan
        """
        self._document = document
        self._engine = engine
        self._reports = reports
        self._record = record
        self._on_admitted = on_admitted
        self._own_token = own_token.encode()
        self._sensitive = sensitive_paths
        self._deadline_s = deadline_s
        self._behaviour = BehaviourGate(reports.detonation)
        self._waiting = 0
        self._scans: dict[ImageId, asyncio.Task[Report | PratiqueError]] = {}
        self._tasks: asyncio.TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        for scan in self._scans.values():
            scan.cancel()
        self._behaviour.stop()
        if self._tasks is not None:
            await self._tasks.__aexit__(None, None, None)

    async def decide(self, body: bytes | None) -> Decision:
        """Answer the engine's question ``/AuthZPlugin.AuthZReq``. Never raises: what fails is refused.

        :param body: ``None`` when it was too big to be read
        """
        subject = _Subject()
        try:
            call = request.decode_call(body)
            subject.text = printable(
                f"{call.method[:10]} {call.target.partition('?')[0][:200]}"
            )  # queries hold secrets
            subject.source = printable(call.user[:200]) or "local"
            if self._is_own(call):
                return subject.decision(Verdict.ALLOW, "own-call")
            await self._judge(call, subject)
        except Refusal as refusal:
            decision = subject.decision(Verdict.DENY, refusal.rule, refusal.message)
        except PratiqueError as error:
            failed = Refusal("guard.failed", f"the guard cannot judge the request: {error.what}", error.hint)
            decision = subject.decision(Verdict.DENY, failed.rule, failed.message)
        except Exception as error:  # noqa: BLE001  # whatever goes wrong in here must end in a refusal
            _log.exception("the guard failed", request=subject.text)
            failed = Refusal("guard.failed", f"the guard failed: {type(error).__name__}", "see the agent's log")
            decision = subject.decision(Verdict.DENY, failed.rule, failed.message)
        else:
            decision = subject.decision(Verdict.ALLOW, "")
        self._keep(decision, subject)
        return decision

    def is_own(self, body: bytes | None) -> bool:
        """Tell whether the engine asks about a call of this very agent, which must not wait behind others."""
        try:
            return self._is_own(request.decode_call(body))
        except Refusal:
            return False

    def _is_own(self, call: Call) -> bool:
        token = call.headers.get(OWN_HEADER.lower(), "").encode()
        return bool(self._own_token) and hmac.compare_digest(token, self._own_token)

    def _keep(self, decision: Decision, subject: "_Subject") -> None:
        if decision.rule == "guard.probe" or (decision.verdict is Verdict.ALLOW and subject.power is Power.READ):
            return
        try:
            self._record(decision)
        except Exception:  # noqa: BLE001  # a full disk must not stop the host's API; the log tells
            _log.exception("a decision could not be recorded", request=decision.subject, rule=decision.rule)

    async def _judge(self, call: Call, subject: "_Subject") -> None:
        asked = request.parse(call)
        route, name = find(asked.method, asked.path)
        subject.power = route.power
        if route.power is Power.IMAGE_CREATE and (pulled := asked.argument("fromImage")):
            subject.text = printable(f"pull {pulled[:200]} {asked.argument('tag')[:80]}".rstrip())
        document = self._document()
        judge_body(asked, route)
        judge(asked, route.power, document)
        if route.power is Power.CREATE:
            await self._create(asked, document, subject)
        elif route.power is Power.START:
            await self._start(name, document, subject)
        elif route.power is Power.EXEC_CREATE:
            await self._exec_create(asked, name, document, subject)
        elif route.power is Power.EXEC_START:
            await self._exec_start(name, document, subject)

    async def _create(self, asked: ApiRequest, document: Document, subject: "_Subject") -> None:
        body = create_body(asked)
        subject.text = f"create {body.image}"
        async with self._deadline():
            image = await self._engine.image(body.image)
            subject.image = image.id if image else ""
            facts = await self._facts(body.host_config, ())
        # An image that comes in this very moment has no permits yet.
        _refuse_first(violations(body.host_config, facts), document, subject.image)
        if image is not None:  # else the engine answers 404, docker run pulls, and what came is judged then
            await self._passing(image, document)

    async def _start(self, name: str, document: Document, subject: "_Subject") -> None:
        async with self._deadline():
            inspected = await self._inspect(name)
            if inspected is None:
                return  # the engine answers 404
            subject.text = f"start {inspected.name.removeprefix('/')}"
            subject.container = inspected.id
            if not inspected.image:
                refuse("create.no-image", "the container has no image, so nothing can be known of what runs in it")
            subject.image = inspected.image
            image = await self._engine.image(inspected.image)
            if image is None:
                refuse("start.no-report", f"the container's image {inspected.image[:80]} is no longer there")
            facts = await self._facts(inspected.host_config, inspected.mounts)
        found = violations(inspected.host_config, facts, inspected.mounts, starting=True)
        _refuse_first(found, document, image.id)
        await self._passing(image, document)
        async with self._deadline():
            await self._on_admitted(inspected.id, image.id)

    async def _exec_create(self, asked: ApiRequest, name: str, document: Document, subject: "_Subject") -> None:
        body = gojson.read(asked.body, ExecBody)
        async with self._deadline():
            inspected = await self._inspect(name)
        if inspected is not None:
            self._judge_exec(inspected, document, subject, privileged=body.privileged)

    async def _exec_start(self, name: str, document: Document, subject: "_Subject") -> None:
        async with self._deadline():
            told = await self._engine.inspect_exec(name) if _NAME.fullmatch(name) else None
            inspected = await self._inspect(str(told.get("ContainerID", ""))) if told else None
        if told is not None and inspected is not None:
            privileged = bool((told.get("ProcessConfig") or {}).get("privileged"))
            self._judge_exec(inspected, document, subject, privileged=privileged)

    @staticmethod
    def _judge_exec(inspected: Inspected, document: Document, subject: "_Subject", *, privileged: bool) -> None:
        subject.text = f"exec in {inspected.name.removeprefix('/')}"
        subject.container, subject.image = inspected.id, inspected.image
        if privileged:
            found = Violation(
                "exec.privileged", Permit.PRIVILEGED, "exec in privileged mode", "run without --privileged"
            )
            _refuse_first(iter((found,)), document, inspected.image)

    async def _inspect(self, name: str) -> Inspected | None:
        if not _NAME.fullmatch(name):
            return None
        told = await self._engine.inspect_container(name)
        return None if told is None else gojson.trusted(told, Inspected)

    async def _facts(self, host: HostConfig, mounts: tuple[MountPoint, ...]) -> Facts:
        """Ask for all that the settings name, and for what the containers they join name in turn."""
        containers: dict[str, Inspected | None] = {}
        volumes: dict[str, Volume | None] = {}
        paths: set[str] = set()
        waiting = [needs(host, mounts)]
        while waiting:
            need = waiting.pop()
            paths |= need.paths
            if len(paths) + len(volumes.keys() | need.volumes) > _MAX_MOUNTED:
                refuse("request.body", f"the container mounts more than {_MAX_MOUNTED} paths and volumes", "use fewer")
            for name in need.volumes - volumes.keys():
                volumes[name] = await self._volume(name)
            for name in need.containers - containers.keys():
                if len(containers) >= _MAX_JOINED:
                    refuse("create.joined-container", f"more than {_MAX_JOINED} containers are joined", "use fewer")
                containers[name] = other = await self._inspect(name)
                if other is not None:
                    waiting.append(needs(other.host_config, other.mounts))
        for volume in volumes.values():
            paths |= volume_paths(volume) if volume else frozenset()
        for mount in host.mounts:
            driver = mount.volume_options.driver_config if mount.volume_options else None
            paths |= volume_paths(Volume(options=driver.options)) if driver else frozenset()
        resolved = await asyncio.to_thread(lambda: {path: _resolve(path) for path in paths}) if paths else {}
        return Facts(containers=containers, volumes=volumes, paths=resolved, sensitive=self._sensitive())

    async def _volume(self, name: str) -> Volume | None:
        told = await self._engine.inspect_volume(name) if _NAME.fullmatch(name) else None
        return None if told is None else gojson.trusted(told, Volume)

    async def _passing(self, image: ImageIdentity, document: Document) -> None:
        """Refuse unless the image has a report that passes; wait for a scan as long as the policy says."""
        scan = self._scans.get(image.id)
        if scan is None:
            assert self._tasks is not None
            scan = self._tasks.create_task(self._scan(image))
            self._scans[image.id] = scan
            scan.add_done_callback(lambda _: self._scans.pop(image.id, None))
        self._waiting += 1
        try:
            patience = document.admission.scan_deadline_s if self._waiting <= _MAX_WAITING else self._deadline_s
            done, _ = await asyncio.wait({scan}, timeout=patience)
        finally:
            self._waiting -= 1
        if not done:
            refuse("start.scanning", f"the scan of image {image.name} is still running", "try again in a moment")
        if scan.cancelled():
            refuse("start.no-report", f"the scan of image {image.name} was stopped", "try again")
        report = scan.result()
        if isinstance(report, PratiqueError):
            refuse("start.no-report", f"image {image.name} could not be scanned: {report.what}", report.hint)
        _refuse_report(image, judge_report(report, document.admission))
        async with self._deadline():
            objection = await self._reports.objection(report)
        if objection:
            refuse("start.condemned", f"image {image.name} may not run: {objection}"[:600], _PARDON)
        assert self._tasks is not None
        await self._behaviour.require(image, document, self._tasks)

    async def _scan(self, image: ImageIdentity) -> Report | PratiqueError:
        try:
            return await self._reports.report(image)
        except PratiqueError as error:
            return error
        except Exception as error:  # noqa: BLE001  # it would end the task group and with it the guard
            _log.exception("a scan failed", image=image.id)
            return PratiqueError(f"the scan failed: {type(error).__name__}", hint="see the agent's log")

    @contextlib.asynccontextmanager
    async def _deadline(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._deadline_s):
                yield
        except TimeoutError:
            refuse("guard.deadline", "the guard could not decide in time", "try again")


class _Subject:
    """What is known so far of the request that is being decided."""

    def __init__(self) -> None:
        self.text = "unreadable request"
        self.source = "local"
        self.image = ""
        self.container = ""
        self.power: Power | None = None

    def decision(self, verdict: Verdict, rule: str, reason: str = "") -> Decision:
        """Return the decision."""
        return Decision(
            at=time.time(),
            verdict=verdict,
            rule=rule or (f"{self.power.name.lower().replace('_', '-')}.allowed" if self.power else "allowed"),
            subject=self.text,
            reason=reason,
            source=self.source,
            image=self.image,
            container=self.container,
        )


def _refuse_first(found: Iterator[Violation], document: Document, image_id: str) -> None:
    entry = document.image(image_id)
    permits = set(entry.permit) if entry else set()
    for violation in found:
        if violation.permit is None or violation.permit not in permits:
            raise violation.refusal(is_known=bool(image_id))


def _refuse_report(image: ImageIdentity, fault: tuple[Finding, ...] | str) -> None:
    if isinstance(fault, str):
        refuse("start.report", f"the report of image {image.name} is incomplete: {fault}", "mend the image")
    if fault:
        first = fault[0]
        more = f" and {len(fault) - 1} more" if len(fault) > 1 else ""
        where = f" in {first.path}" if first.path else ""
        what = f"image {image.name} has {first.kind}: {first.title or first.rule}{where}{more}"
        refuse("start.report", what[:600], f"see 'pratique images' and 'pratique scan {image.name}'")


def _resolve(path: str) -> str | None:
    target = os.path.realpath(path)
    return target if os.path.lexists(target) else None
