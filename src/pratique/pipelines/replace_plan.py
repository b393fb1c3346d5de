"""Makes the plan of a replacement: what runs the old images, which image each gets, and in which order.

Providers come before those who need them: a consumer is then replaced when what it needs is new already and stays, so
that its connections break once and not twice, and a new provider that does not fit is seen by consumers that have not
changed yet.
"""

import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from pratique.errors import ReplaceError, UsageError
from pratique.inventory import Dependencies, ServiceKind, repository, service_of
from pratique.model import (
    Container,
    Direction,
    FindingKind,
    FlowVerdict,
    ImageId,
    ImageIdentity,
    Plan,
    Report,
    Skipped,
    Step,
    SwapMode,
)
from pratique.policy import Document, explain_fault, judge_report
from pratique.responders import choose_mode, read_connections, why_not
from pratique.runtime import Actions, Engine
from pratique.store import Store
from pratique.text import printable

_SWARM_SERVICE: Final = "com.docker.swarm.service.id"
_FLOWS_OF_S: Final = 7 * 86_400.0
_CANDIDATES: Final = 20

Reports = Callable[[ImageId], Awaitable[Report]]


class Question(Struct, frozen=True):
    """What is to be replaced: everything with a vulnerability, or one image."""

    cve: str = ""
    image: str = ""
    successor: str = ""
    """The image to put in its place; ``""``: the newest of the same repository that passes."""

    @property
    def text(self) -> str:
        """The question in a word."""
        return self.cve or self.image


class _Fix(Struct, frozen=True):
    image: ImageIdentity
    reference: str


class Planner:
    """Makes plans for one engine.

    :param report: returns the report of an image as the advisories there are now would have it
    """

    def __init__(self, engine: Engine, store: Store, document: Document, report: Reports) -> None:
        self._engine = engine
        self._store = store
        self._document = document
        self._report = report

    async def plan(self, question: Question) -> Plan:
        """Return the plan that answers a question.

        :raises UsageError: when nothing runs that it is about
        :raises ReplaceError: when there is no image to put in the place
        """
        containers = await self._engine.containers()
        affected = await self._affected(question, {one.image for one in containers if one.running})
        concerned = [container for container in containers if container.image in affected and container.running]
        if not concerned:
            msg = f"no running container has {printable(question.text)}"
            raise UsageError(msg, hint="'pratique containers' lists what runs")
        inspected = {
            one.id: document for one in containers if (document := await self._engine.inspect_container(one.id))
        }
        tied = _tied(inspected.values())
        fixes: dict[str, _Fix | str] = {}
        steps: list[Step] = []
        skipped: list[Skipped] = []
        for container in self._in_order(concerned, containers):
            repo = repository(container.image_reference) or await self._repository(container.image)
            key = f"{container.image} {repo}"
            if key not in fixes:
                fixes[key] = await self._fix(question, affected, repo)
            fix = fixes[key]
            if isinstance(fix, str):
                skipped.append(Skipped(container.name, fix))
            elif isinstance(
                step := await self._step(len(steps) + 1, container, inspected[container.id], fix, tied), Step
            ):
                if not any(known.container == step.container for known in steps):  # a swarm service has many tasks
                    steps.append(step)
            else:
                skipped.append(step)
        if not steps:
            msg = f"nothing can be replaced: {skipped[0].name} {skipped[0].why}"
            raise ReplaceError(msg, hint=skipped[0].command)
        return Plan(
            id=secrets.token_hex(3),
            at=time.time(),
            question=question.text,
            steps=tuple(steps),
            skipped=tuple(skipped),
            allowed=self._allowed(steps),
        )

    async def _affected(self, question: Question, running: Collection[ImageId]) -> frozenset[str]:
        if question.image:
            image = await self._engine.image(question.image)
            if image is None:
                msg = f"the engine has no image '{printable(question.image)}'"
                raise UsageError(msg, hint="'pratique images' lists the names and ids")
            return frozenset({image.id})
        reports = [(image_id, await self._report(image_id)) for image_id in sorted(running)]
        return frozenset(image_id for image_id, report in reports if has_vulnerability(report, question.cve))

    def _in_order(self, concerned: Collection[Container], containers: Collection[Container]) -> list[Container]:
        """Sort containers by service, the needed before those who need them, be it over others that stay."""
        services = sorted({str(service_of(container)) for container in containers})
        numbers = {name: number for number, name in enumerate(services)}
        homes = {address: str(service_of(one)) for one in containers for address in one.addresses}
        owners = {one.id: str(service_of(one)) for one in containers}
        pairs = {
            (numbers[owners[flow.container]], numbers[homes[flow.address]])
            for flow in (record.flow for record in self._store.flows(since=time.time() - _FLOWS_OF_S))
            if flow.direction is Direction.EGRESS
            and flow.verdict is not FlowVerdict.DENIED
            and owners.get(flow.container) in numbers
            and homes.get(flow.address) in numbers
        }
        groups = Dependencies(sorted(pairs)).order(range(len(services)))
        place = {services[number]: position for position, group in enumerate(groups) for number in group}
        return sorted(concerned, key=lambda one: (place[str(service_of(one))], str(service_of(one)), one.name))

    async def _repository(self, image_id: ImageId) -> str:
        image = await self._engine.image(image_id)
        return repository(image.references[0]) if image and image.references else ""

    async def _fix(self, question: Question, affected: Collection[str], repo: str) -> _Fix | str:
        """Return the image to put in the place of one of a repository, or why there is none."""
        if question.successor:
            image = await self._engine.image(question.successor)
            if image is None:
                msg = f"the engine has no image '{printable(question.successor)}'"
                raise UsageError(msg, hint=f"docker pull {printable(question.successor)}")
            fault = "it is the old image itself" if image.id in affected else await self._fault(question, image.id)
            if fault:
                msg = f"{printable(question.successor)} cannot take the place: {fault}"
                raise ReplaceError(msg, hint="choose another image")
            return _Fix(image, question.successor)
        if not repo:
            return "its image has no name, so no newer one of the same name can be found; give one with --with"
        named = [
            (image, reference)
            for image in await self._engine.images()
            if image.id not in affected
            for reference in image.references
            if repository(reference) == repo
        ]
        named.sort(key=lambda pair: pair[0].created, reverse=True)
        fault = f"the engine has no other image of {repo}; pull or load a fixed one"
        for image, reference in named[:_CANDIDATES]:
            if not (found := await self._fault(question, image.id)):
                return _Fix(image, reference)
            fault = f"{reference} does not do: {found}"
        return fault

    async def _fault(self, question: Question, image_id: ImageId) -> str:
        """Return why an image must not take the place, or ``""``."""
        report = await self._report(image_id)
        if question.cve and has_vulnerability(report, question.cve):
            return f"it has {question.cve} as well"
        return explain_fault(judge_report(report, self._document.admission))

    async def _step(
        self, number: int, container: Container, inspected: Mapping[str, Any], fix: _Fix, tied: Collection[str]
    ) -> Step | Skipped:
        service = service_of(container)
        if service.kind is ServiceKind.KUBERNETES:
            namespace, _, workload = service.name.partition("/")
            name = container.labels.get("io.kubernetes.container.name", "CONTAINER")
            command = f"kubectl --namespace {namespace} set image deployment/{workload} {name}={fix.reference}"
            return Skipped(container.name, "is Kubernetes' own, which rolls over by itself", printable(command))
        identity, mode, why = container.id, *choose_mode(inspected)
        document = dict(inspected)
        if swarm := container.labels.get(_SWARM_SERVICE):
            identity, mode, why = swarm, SwapMode.SERVICE, "swarm rolls over by itself"
            document = await Actions(self._engine).service(swarm)
        elif reason := why_not(inspected):
            return Skipped(container.name, reason)
        elif container.id in tied or container.name in tied:
            return Skipped(container.name, "shares its namespaces with another container or is linked to by one")
        open_ = read_connections(container.pid)
        return Step(
            number=number,
            service=service.name,
            container=identity,
            name=service.name if mode is SwapMode.SERVICE else container.name,
            old_image=container.image,
            new_image=fix.image.id,
            reference=fix.reference,
            mode=mode,
            why=why,
            inspected=document,
            listens=tuple(sorted(open_.listening)) if open_ else (),
        )

    def _allowed(self, steps: Iterable[Step]) -> tuple[tuple[ImageId, ImageId], ...]:
        """Return for which new images the old one's policy entry has to hold as well."""
        pairs = sorted({(step.old_image, step.new_image) for step in steps})
        listed: set[ImageId] = set()
        allowed = []
        for old, new in pairs:
            if self._document.image(old) is not None and self._document.image(new) is None and new not in listed:
                allowed.append((old, new))
                listed.add(new)
        return tuple(allowed)


def has_vulnerability(report: Report, cve: str) -> bool:
    """Tell whether a report has a vulnerability under this id or as an alias."""
    return any(
        finding.kind is FindingKind.VULNERABILITY and (finding.rule == cve or cve in finding.aliases)
        for finding in report.findings
    )


def _tied(inspected: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the ids and names of the containers that another one holds on to: it would hold on to the old one."""
    tied: set[str] = set()
    for document in inspected:
        host = document.get("HostConfig") or {}
        tied |= {str(host.get(key, "")).partition("container:")[2] for key in ("NetworkMode", "PidMode", "IpcMode")}
        tied |= {str(link).partition(":")[0].removeprefix("/") for link in host.get("Links") or ()}
    return frozenset(tied - {""})
