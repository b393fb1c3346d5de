"""Asks the guard as the engine does, with an engine made of dictionaries."""

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any

from pratique.guard import Guard
from pratique.model import (
    Behaviour,
    Decision,
    Detonation,
    Finding,
    FindingKind,
    ImageId,
    ImageIdentity,
    Report,
    Severity,
    Verdict,
)
from pratique.policy import Document, ImagePolicy, Permit

GOOD = ImageId("sha256:" + "a" * 64)
BAD = ImageId("sha256:" + "b" * 64)
MINER = Finding(
    kind=FindingKind.MALWARE, rule="miner", severity=Severity.CRITICAL, title="a miner", path="/usr/bin/xmrig"
)


class World:
    """An engine and its reports, as the guard sees them."""

    def __init__(self) -> None:
        self.images: dict[str, ImageId] = {"good:1": GOOD, "evil:1": BAD, GOOD: GOOD, BAD: BAD}
        self.containers: dict[str, dict[str, Any]] = {}
        self.volumes: dict[str, dict[str, Any]] = {}
        self.execs: dict[str, dict[str, Any]] = {}
        self.document = Document()
        self.objections: dict[str, str] = {}
        self.behaviours: dict[str, Behaviour] = {}
        self.detonations: list[str] = []
        self.admitted: list[tuple[str, ImageId]] = []
        self.recorded: list[Decision] = []

    async def image(self, reference: str) -> ImageIdentity | None:
        found = self.images.get(reference)
        return ImageIdentity(id=found, references=(reference,)) if found else None

    async def inspect_container(self, name: str) -> dict[str, Any] | None:
        return self.containers.get(name)

    async def inspect_volume(self, name: str) -> dict[str, Any] | None:
        return self.volumes.get(name)

    async def inspect_exec(self, exec_id: str) -> dict[str, Any] | None:
        return self.execs.get(exec_id)

    async def report(self, image: ImageIdentity) -> Report:
        return Report(image=image, scanned_at=0, duration_s=0, findings=(MINER,) if image.id == BAD else ())

    async def detonation(self, image: ImageIdentity) -> Detonation:
        self.detonations.append(image.id)
        behaviour = self.behaviours.get(image.id, Behaviour.CLEAN)
        return Detonation(image, 0, 1.0, ("/bin/sh",), behaviour, "a miner was started (exec.miner)")

    async def objection(self, report: Report) -> str:
        return self.objections.get(report.image.id, "")

    async def admit(self, container: str, image: ImageId) -> None:
        self.admitted.append((container, image))

    def guard(self, **options: Any) -> Guard:
        options = {"on_admitted": self.admit, "record": self.recorded.append, **options}
        return Guard(lambda: self.document, self, self, **options)

    def permit(self, *permits: Permit) -> None:
        self.document = Document(images=(ImagePolicy(name="good", ids=(GOOD,), permit=permits),))

    def container(self, name: str, image: str = GOOD, mounts: Any = (), **host: Any) -> None:
        self.containers[name] = {
            "Id": name * 8,
            "Name": f"/{name}",
            "Image": image,
            "HostConfig": host,
            "Mounts": list(mounts),
        }

    def ask(self, method: str, target: str, body: Any = None, **headers: str) -> Decision:
        """Ask once; a body of bytes goes as it is, anything else as JSON."""
        return self.ask_bytes(question(method, target, body, **headers))

    def ask_bytes(self, asked: bytes) -> Decision:
        async def once() -> Decision:
            async with self.guard() as guard:
                return await guard.decide(asked)

        return asyncio.run(once())

    def create(self, host: Mapping[str, Any] | None = None, **body: Any) -> Decision:
        """Ask for a container of the good image with these settings."""
        return self.ask("POST", "/v1.41/containers/create", {"Image": "good:1", "HostConfig": host, **body})


def question(method: str, target: str, body: Any = None, **headers: str) -> bytes:
    """Return the body of an AuthZReq."""
    call: dict[str, Any] = {
        "RequestMethod": method,
        "RequestUri": target,
        "RequestHeaders": {name.replace("_", "-"): value for name, value in headers.items()},
    }
    if body is not None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        call["RequestBody"] = base64.b64encode(raw).decode()
    return json.dumps(call).encode()


def rule(decision: Decision) -> str:
    """Return the rule that refused, or ``allow``."""
    return decision.rule if decision.verdict is Verdict.DENY else "allow"
