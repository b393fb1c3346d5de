"""Does to a container what the policy asks for when there is an alert about it.

A reaction comes once an hour to each container, so that a flood of alerts does not become a flood of reactions, and so
that what a person released is left alone for a while; and there are only so many in a minute on the whole host.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pratique.errors import PratiqueError
from pratique.model import Alert, Container, Decision, Severity, Verdict
from pratique.pipelines.account import Account
from pratique.pipelines.capture import capture
from pratique.pipelines.memory import Memory
from pratique.pipelines.quarantine import put_in_quarantine
from pratique.pipelines.recorder import Recorder
from pratique.policy import Document, Reaction, Respond
from pratique.runtime import Actions, Engine
from pratique.store import Store

CAPTURES: Final = "captures"
"""The folder below the state directory in which archives are put."""
MAX_CAPTURES: Final = 50
"""Archives that may lie there; then somebody has to look at them first."""
_AGAIN_S: Final = 3600.0
_A_MINUTE: Final = 20
_REMEMBERED: Final = 10_000
_WAITING: Final = 256
_CONTAINER_ID: Final = re.compile(r"[0-9a-f]{64}")


class Responder:
    """Reacts to alerts, one after the other.

    :param document: returns the policy in force
    :param folder: where archives are put
    """

    def __init__(
        self,
        document: Callable[[], Document],
        engine: Engine,
        store: Store,
        recorder: Recorder,
        account: Account,
        folder: Path,
    ) -> None:
        self._document = document
        self._engine = engine
        self._do = Actions(engine)
        self._store = store
        self._recorder = recorder
        self._account = account
        self._folder = folder
        self._done: Memory[tuple[str, Reaction], float] = Memory(_REMEMBERED)
        self._lately: deque[float] = deque(maxlen=_A_MINUTE)
        self._waiting: asyncio.Queue[tuple[Alert, Reaction]] = asyncio.Queue(_WAITING)

    def hear(self, alert: Alert) -> None:
        """Take an alert; what is to be done because of it is done by :meth:`run`."""
        if not _CONTAINER_ID.fullmatch(alert.container):
            return
        now = time.monotonic()
        for reaction in reactions(self._document().respond, alert):
            last = self._done.get((alert.container, reaction))
            if last is not None and now - last < _AGAIN_S:
                continue
            if self._waiting.full() or (len(self._lately) == _A_MINUTE and now - self._lately[0] < 60):
                self._account.warn(f"{reaction} because of {alert.rule} is left out: too many reactions in a minute")
                return
            self._done[alert.container, reaction] = now
            self._lately.append(now)
            self._waiting.put_nowait((alert, reaction))

    async def run(self) -> None:
        """React for ever."""
        while True:
            alert, reaction = await self._waiting.get()
            try:
                container = await self._engine.container(alert.container)
                if container is None:
                    continue
                said = await self._react(alert, reaction, container)
            except PratiqueError as error:
                self._account.warn(f"{reaction} because of {alert.rule} did not work: {error.what}", error.hint)
                self._log(alert, reaction, Verdict.DENY, f"did not work: {error.what}")
            else:
                self._account.say(f"{said}, because of {alert.rule}")
                self._log(alert, reaction, Verdict.ALLOW, said)

    async def _react(self, alert: Alert, reaction: Reaction, container: Container) -> str:
        source = f"policy, on {alert.rule}"
        match reaction:
            case Reaction.QUARANTINE:
                await asyncio.to_thread(
                    put_in_quarantine, self._store, container, reason=f"{alert.rule}: {alert.title}", source=source
                )
                return f"{container.name} is put in quarantine"
            case Reaction.CAPTURE:
                return await self._capture(container, source)
            case Reaction.PAUSE:
                await self._do.pause(container.id)
                return f"{container.name} is paused"
            case Reaction.STOP:
                await self._do.stop(container.id)
                return f"{container.name} is stopped"
            case Reaction.KILL:
                await self._do.kill(container.id)
                return f"{container.name} is killed"

    async def _capture(self, container: Container, source: str) -> str:
        there = len(list(self._folder.iterdir())) if self._folder.is_dir() else 0
        if there >= MAX_CAPTURES:
            return f"{container.name} is not captured: there are {there} archives in {self._folder} already"
        name = f"{container.id[:12]}-{time.strftime('%Y%m%dT%H%M%S')}.tar.gz"
        done = await capture(self._engine, self._store, container, self._folder / name, source=source)
        return f"{container.name} is captured in {done.path}"

    def _log(self, alert: Alert, reaction: Reaction, verdict: Verdict, reason: str) -> None:
        self._recorder.decision(
            Decision(
                at=time.time(),
                verdict=verdict,
                rule=f"respond.{reaction}",
                subject=f"{reaction} {alert.container_name or alert.container[:12]}",
                reason=reason,
                source=f"policy, on {alert.rule}",
                image=alert.image,
                container=alert.container,
            )
        )


def reactions(lines: tuple[Respond, ...], alert: Alert) -> list[Reaction]:
    """Return what a policy asks for because of an alert, each reaction once, in the order of its lines."""
    asked: dict[Reaction, None] = {}
    for line in lines:
        severe = line.when in set(Severity) and alert.severity.rank >= Severity(line.when).rank
        if line.when == alert.rule or severe:
            asked.update(dict.fromkeys(line.do))
    return list(asked)
