"""Replaces one container by its successor, in phases.

Each phase looks at what the engine has and does what is missing, so that it can be repeated after an interruption at
any point; what belongs to a step is found by its labels. The old container is kept, stopped and renamed, until somebody
calls :meth:`Swap.discard`.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from msgspec import Struct

from pratique.errors import HostError, ReplaceError
from pratique.model import Step, SwapMode
from pratique.responders import hold
from pratique.responders.connections import read_connections
from pratique.responders.settings import (
    PLAN_LABEL,
    STEP_LABEL,
    Creation,
    creation,
    endpoint_without_names,
    is_named,
)
from pratique.runtime import Actions, Engine
from pratique.text import printable

_LOOK_EVERY_S: Final = 0.1
_STEADY_S: Final = 2.0
_NO_RESTART: Final = {"Name": "no", "MaximumRetryCount": 0}
_SAID: Final = 200


class Patience(Struct, frozen=True):
    """How long a swap waits."""

    health_s: float = 60.0
    """For a container to be healthy; without a health check: to run for two seconds and listen as the old one did."""
    drain_s: float = 10.0
    """For the old one's open connections to end, before it is told to stop."""


class Swap:
    """One step of a plan.

    :param joining: one for all swaps on an engine: addresses stay the same only if one container joins at a time
    :param note: is told what could not be done as it should and does not stop the swap
    """

    def __init__(
        self,
        engine: Engine,
        plan_id: str,
        step: Step,
        patience: Patience,
        joining: asyncio.Lock,
        note: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._do = Actions(engine)
        self._plan_id = plan_id
        self.step = step
        self._patience = patience
        self._joining = joining
        self._note = note
        self._labels = {PLAN_LABEL: plan_id, STEP_LABEL: str(step.number)}
        self._old_name = f"{step.name}-old-{plan_id}"

    async def successor(self) -> dict[str, Any] | None:
        """Return the new container as the engine has it now, or None."""
        for container_id in await self._do.labelled(self._labels):
            return await self._engine.inspect_container(container_id)
        return None

    async def prepare(self) -> None:
        """Have the new container created; beside the old one also started, and healthy, but found by nobody yet.

        :raises ReplaceError: when it is not what was planned or does not get healthy
        :raises EngineError: when the engine refuses
        """
        wanted = await self._creation()
        new = await self.successor()
        if new is not None and not _runs(new) and new["State"].get("ExitCode"):
            await self._do.remove(new["Id"])  # it failed when an earlier attempt started it
            new = None
        if new is None:
            new = await self._create(wanted)
        if new["Image"] != self.step.new_image:
            msg = f"{self.step.reference} is another image now than when the plan was made"
            raise ReplaceError(msg, hint="make a new plan")
        missing = wanted.networks.keys() - (new["NetworkSettings"]["Networks"] or {}).keys()
        for network in sorted(missing):
            await self._do.connect(network, new["Id"], self._hidden(wanted.networks[network]))
        if self.step.mode is SwapMode.BESIDE:
            await self._do.start(new["Id"])
            await self._wait_healthy(new["Id"])

    async def take_over(self) -> None:
        """Have the new container found under the old one's names; in turn: after the old one was stopped.

        :raises ReplaceError: when it does not get healthy
        """
        if self.step.mode is SwapMode.BESIDE:
            await self._join()
        else:
            await self._change_places()

    async def retire(self) -> None:
        """Have the old container get no new connections any more. Those that are open go on."""
        old = await self._engine.inspect_container(self.step.container)
        if self.step.mode is not SwapMode.BESIDE or old is None or not _runs(old):
            return
        await self._rename(old, self._old_name)
        try:
            await hold.turn_away(_pid(old), self._patience.health_s + self._patience.drain_s + _stop_s(old))
        except HostError as error:
            self._note(f"{self.step.name} gets new connections until it stops: {error.what}")

    async def finish(self) -> None:
        """Have the old container stopped once its connections have ended, and the new one under its name."""
        if self.step.mode is SwapMode.BESIDE:
            await self._stop_old()
        await self._rename(await self._new(), self.step.name)

    async def roll_back(self) -> None:
        """Have the old container run as before, and the new one gone.

        :raises ReplaceError: when the old one is no longer there, or does not get healthy again
        """
        old = await self._engine.inspect_container(self.step.container)
        new = await self.successor()
        if old is None:
            msg = f"the old container of {self.step.name} is gone, so it cannot be put back"
            raise ReplaceError(msg, hint="replace the other way round: pratique replace --image NEW --with OLD")
        if self.step.mode is SwapMode.IN_TURN and not _runs(old):
            await self._hold(old)
            if new is not None:
                await self._do.stop(new["Id"], _stop_s(new))
        if new is not None and str(new["Name"]) == f"/{self.step.name}":
            await self._do.rename(new["Id"], f"{self.step.name}-{self._plan_id}")
        await self._rename(old, self.step.name)
        await self._do.set_restart(old["Id"], self.step.inspected["HostConfig"].get("RestartPolicy") or _NO_RESTART)
        if _runs(old):
            with suppress(HostError):  # nothing was turned away, or it ends by itself
                await hold.let_in(_pid(old))
        else:
            await self._do.start(old["Id"])
        await self._wait_healthy(old["Id"])
        if new is not None:
            await self._remove_new(new)
        await self._lift()

    async def discard(self) -> None:
        """Remove the old container; its volumes stay."""
        if await self._engine.inspect_container(self.step.container) is not None:
            await self._do.remove(self.step.container)

    async def _creation(self) -> Creation:
        old_image = await self._engine.inspect_image(self.step.old_image)
        if old_image is None:
            msg = f"the old image of {self.step.name} is gone, so what it brought along cannot be told from settings"
            raise ReplaceError(msg, hint="load or pull it again")
        cgroups = (await self._engine.info()).cgroup_version
        return creation(
            self.step.inspected,
            old_image,
            self.step.new_image,
            self.step.reference,
            self._labels,
            cgroups=cgroups,
        )

    async def _create(self, wanted: Creation) -> dict[str, Any]:
        name = f"{self.step.name}-{self._plan_id}"
        endpoints = {network: self._hidden(wanted.networks[network]) for network in sorted(wanted.networks)[:1]}
        body = {**wanted.body, "NetworkingConfig": {"EndpointsConfig": endpoints}}
        made = await self._engine.inspect_container(await self._do.create(name, body))
        assert made is not None
        return made

    def _hidden(self, endpoint: Mapping[str, Any]) -> dict[str, Any]:
        return endpoint_without_names(endpoint) if self.step.mode is SwapMode.BESIDE else dict(endpoint)

    async def _join(self) -> None:
        """Give the new container its names, network by network.

        The resolver learns names only as a container joins, so it leaves and joins again. The engine gives out the
        lowest free address, which is the one that it had: connections that it has opened already go on.
        """
        wanted = await self._creation()
        moved = False
        for network, endpoint in wanted.networks.items():
            new = await self._new()
            joined = new["NetworkSettings"]["Networks"].get(network)
            if not is_named(network) or (joined and set(endpoint["Aliases"]) <= set(joined.get("Aliases") or ())):
                continue
            async with self._joining:
                if joined:
                    await self._do.disconnect(network, new["Id"])
                await self._do.connect(network, new["Id"], endpoint)
            now = (await self._new())["NetworkSettings"]["Networks"][network]
            moved = moved or not joined or now.get("IPAddress") != joined.get("IPAddress")
        if moved:
            new = await self._new()
            self._note(f"{self.step.name} got another address as it joined, so it was started again")
            await self._do.restart(new["Id"])
            await self._wait_healthy(new["Id"])

    async def _change_places(self) -> None:
        old = await self._engine.inspect_container(self.step.container)
        new = await self._new()
        if old is not None and not _runs(new):
            await self._hold(old)
            await self._stop_old()
            await self._rename(old, self._old_name)
        await self._rename(new, self.step.name)
        await self._do.start(new["Id"])
        await self._wait_healthy(new["Id"])
        await self._lift()

    async def _stop_old(self) -> None:
        old = await self._engine.inspect_container(self.step.container)
        if old is None or not _runs(old):
            return
        await self._do.set_restart(old["Id"], _NO_RESTART)
        deadline = time.monotonic() + self._patience.drain_s
        while time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_EVERY_S)  # also at first: what was on its way arrives and is answered
            found = read_connections(_pid(old))
            if not (found and found.incoming):
                break
        await self._do.stop(old["Id"], _stop_s(old))

    async def _hold(self, old: Mapping[str, Any]) -> None:
        networks = (self.step.inspected["NetworkSettings"].get("Networks") or {}).values()
        addresses = [net[key] for net in networks for key in ("IPAddress", "GlobalIPv6Address") if net.get(key)]
        published = self.step.inspected["NetworkSettings"].get("Ports") or {}
        ports = {
            (str(bound.get("HostIp", "")), int(bound["HostPort"]))
            for name, bindings in published.items()
            if name.endswith("/tcp")
            for bound in bindings or ()
        }
        seconds = self._patience.health_s + self._patience.drain_s + 2 * _stop_s(old)
        try:
            await hold.hold(self._tag, addresses, sorted(ports), seconds)
        except HostError as error:
            self._note(f"new connections to {self.step.name} are refused while it changes places: {error.what}")

    async def _lift(self) -> None:
        if self.step.mode is SwapMode.IN_TURN:
            with suppress(HostError):  # then it ends by itself
                await hold.lift(self._tag)

    @property
    def _tag(self) -> str:
        return f"{self._plan_id}-{self.step.number}"

    async def _remove_new(self, new: Mapping[str, Any]) -> None:
        if _runs(new):
            with suppress(HostError):
                await hold.turn_away(_pid(new), self._patience.drain_s + _stop_s(new))
            await self._do.stop(str(new["Id"]), _stop_s(new))
        await self._do.remove(str(new["Id"]))

    async def _new(self) -> dict[str, Any]:
        new = await self.successor()
        if new is None:
            msg = f"the successor of {self.step.name} is gone: somebody removed it"
            raise ReplaceError(msg)
        return new

    async def _rename(self, container: Mapping[str, Any], name: str) -> None:
        now = await self._engine.inspect_container(str(container["Id"]))
        if now is not None and now["Name"] != f"/{name}":
            await self._do.rename(str(container["Id"]), name)

    async def _wait_healthy(self, container_id: str) -> None:
        """Wait until a container is healthy.

        :raises ReplaceError: when it ends, says that it is not, or does not come to it in time
        """
        deadline = time.monotonic() + self._patience.health_s
        steady_since = None
        last = "it does not run"
        restarts: int | None = None
        while time.monotonic() < deadline:
            now = await self._engine.inspect_container(container_id)
            if now is None:
                msg = f"the container of {self.step.name} is gone: somebody removed it"
                raise ReplaceError(msg)
            restarts = now.get("RestartCount", 0) if restarts is None else restarts
            last = _fault(now, self.step.listens, restarts)
            if not last:
                steady_since = steady_since or time.monotonic()
                if _health(now) or time.monotonic() - steady_since >= _STEADY_S:
                    return
            else:
                steady_since = None
            await asyncio.sleep(_LOOK_EVERY_S)
        msg = f"{self.step.name} did not get healthy within {self._patience.health_s:.0f} s: {last}"
        raise ReplaceError(msg)


def _fault(inspected: Mapping[str, Any], listens: tuple[int, ...], restarts: int) -> str:
    """Return what a container still lacks, or ``""``.

    :param restarts: how often the engine had started it again when the wait began
    :raises ReplaceError: when it will not come to it
    """
    name, state = printable(str(inspected["Name"]).removeprefix("/")), inspected["State"]
    if state.get("Restarting") or inspected.get("RestartCount", 0) > restarts:
        code = f" with code {state['ExitCode']}" if state.get("ExitCode") else ""
        msg = f"{name} ended{code} and was started again"
        raise ReplaceError(msg)
    if state.get("Status") in {"exited", "dead"}:
        msg = f"{name} ended with code {state.get('ExitCode')}{_reason(state)}"
        raise ReplaceError(msg)
    health = _health(inspected)
    if health == "unhealthy":
        log = (state["Health"].get("Log") or [{}])[-1]
        said = printable(str(log.get("Output", "")).strip()[:_SAID])
        msg = f"{name} is unhealthy: its check ended with {log.get('ExitCode')}{': ' if said else ''}{said}"
        raise ReplaceError(msg)
    if not _runs(inspected):
        return "it does not run"
    if health:
        return "" if health == "healthy" else f"it is {health}"
    found = read_connections(_pid(inspected))
    missing = set(listens) - found.listening if found else set()
    return f"it does not listen on {', '.join(map(str, sorted(missing)))}" if missing else ""


def _reason(state: Mapping[str, Any]) -> str:
    said = printable(str(state.get("Error") or "")[:_SAID])
    return f": {said}" if said else ""


def _health(inspected: Mapping[str, Any]) -> str:
    """Return what the health check says, or ``""`` when there is none."""
    status = str(((inspected.get("State") or {}).get("Health") or {}).get("Status", ""))
    return "" if status == "none" else status


def _runs(inspected: Mapping[str, Any]) -> bool:
    return bool((inspected.get("State") or {}).get("Running"))


def _pid(inspected: Mapping[str, Any]) -> int:
    return int((inspected.get("State") or {}).get("Pid") or 0)


def _stop_s(inspected: Mapping[str, Any]) -> int:
    return int((inspected.get("Config") or {}).get("StopTimeout") or 10)
