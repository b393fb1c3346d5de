"""Captures a container: all that is known of it, and all that it is just now, in one archive with hashes."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from pratique.errors import UsageError
from pratique.model import Container, Decision, Verdict
from pratique.responders import Evidence, capture_changes, capture_processes
from pratique.runtime import Actions, Engine
from pratique.store import Store

_MAX_EVENTS: Final = 10_000
"""Alerts, flows, decisions: the newest so many of each."""


class Captured(Struct, frozen=True):
    """An archive that was written."""

    path: Path
    sha256: str
    members: int
    processes: int
    changes: int
    notes: tuple[str, ...]


async def capture(
    engine: Engine, store: Store, container: Container, path: Path, *, source: str, pause: bool = False
) -> Captured:
    """Write the archive and log its hash, so that it can be shown later that nobody changed it.

    :param path: of a new file
    :param source: who asks, for the decision log
    :param pause: have the container's processes stand still while they are read
    :raises UsageError: when the container is gone, or the file is there already or cannot be written, to its end
    """
    inspected = await engine.inspect_container(container.id)
    if inspected is None:
        msg = f"container {container.name} is gone"
        raise UsageError(msg)
    at = time.time()
    about = {"container": container.id, "name": container.name, "image": container.image, "at": f"{at:.3f}"}
    try:
        with Evidence(path, about) as evidence:
            async with _standing_still(engine, inspected, wanted=pause):
                processes = await asyncio.to_thread(capture_processes, evidence, container.id)
                changes = await asyncio.to_thread(capture_changes, evidence, inspected)
            await asyncio.to_thread(_add_known, evidence, store, container, inspected)
    except OSError as error:
        msg = f"container {container.name} cannot be captured: {error.strerror or error}"
        raise UsageError(msg, hint="is there room on the disk?") from error
    decision = Decision(
        at=at,
        verdict=Verdict.ALLOW,
        rule="capture.written",
        subject=f"capture {container.name}",
        reason=f"sha256 {evidence.sha256}, {path.name}",
        source=source,
        image=container.image,
        container=container.id,
    )
    await asyncio.to_thread(store.append_decisions, [decision])
    members, notes = len(evidence.members), tuple(evidence.notes)
    return Captured(path, evidence.sha256, members, processes, changes, notes)


@asynccontextmanager
async def _standing_still(engine: Engine, inspected: dict[str, Any], *, wanted: bool) -> AsyncIterator[None]:
    state = inspected["State"]
    if not wanted or not state.get("Running") or state.get("Paused"):
        yield
        return
    await Actions(engine).pause(inspected["Id"])
    try:
        yield
    finally:
        await Actions(engine).unpause(inspected["Id"])


def _add_known(evidence: Evidence, store: Store, container: Container, inspected: dict[str, Any]) -> None:
    """Add what the engine and the store know: settings without the values of the environment, image, report, events."""
    settings = inspected.get("Config") or {}
    hidden = [f"{entry.partition('=')[0]}=…" for entry in settings.get("Env") or ()]
    evidence.add_json("container.json", {**inspected, "Config": {**settings, "Env": hidden}})
    if (report := store.report(container.image)) is not None:
        evidence.add_json("image.json", _clean(report.image))
        evidence.add_json("report.json", _clean(report))
    else:
        evidence.note("the image has no report")
    images = {container.image}
    alerts = store.alerts(images=images, limit=_MAX_EVENTS)
    flows = store.flows(images=images, limit=_MAX_EVENTS)
    decisions = store.decisions(images=images, limit=_MAX_EVENTS)
    evidence.add_json("alerts.json", _clean(one for one in alerts if one.alert.container == container.id))
    evidence.add_json("flows.json", _clean(one for one in flows if one.flow.container == container.id))
    evidence.add_json("decisions.json", _clean(one for one in decisions if one.decision.container == container.id))


def _clean(value: Struct | Iterable[Struct]) -> Any:
    return msgspec.to_builtins(value if isinstance(value, Struct) else list(value))
