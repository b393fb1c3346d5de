"""The story's stage: an engine, the world around it, the open shop, and the attacker."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Final

from testbed.attack import Attack, Step
from testbed.engine import Cgroups, ThrowAwayEngine
from testbed.shop import CHECKOUT, Shop
from testbed.steps import steps
from testbed.world import RESOLVER, World

_EVIDENCE: Final = 20
"""Packets that a failing test shows."""


class Stage:
    """All that a scene needs."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.engine = world.engine
        self._client = world.engine.client()
        self.shop = Shop(self._client)
        self.attack = Attack(world, self.shop)
        self.steps: dict[str, Step] = {step.name: step for step in steps(str(world.engine.socket))}
        world.serve(CHECKOUT)

    def close(self) -> None:
        """Close the connections to the engine."""
        self.attack.client.close()
        self._client.close()

    def received(self, since: int) -> list[str]:
        """Return the first packets that reached the attacker after a mark, in words that help to find their origin."""
        return [
            f"{frame.protocol} over IPv{frame.version} to port {frame.port}: {frame.text}"
            for frame in self.world.frames(since)[:_EVIDENCE]
        ]

    def errors(self, since: int = 0) -> list[str]:
        """Return what customers of the honest service complained about."""
        return [event.text for event in self.world.customers.events(since) if event.failed]

    def orders(self, since: int = 0) -> int:
        """Return how many customers were served."""
        return sum(event.kind == "request" and not event.failed for event in self.world.customers.events(since))


@contextmanager
def open_stage(cgroups: Cgroups, *, daemon_json: Mapping[str, Any] | None = None) -> Iterator[Stage]:
    """Build the stage on an engine of its own; all of it ends with the block."""
    with (
        ThrowAwayEngine(cgroups=cgroups, dns=(RESOLVER,), daemon_json=daemon_json) as engine,
        World(engine) as world,
        closing(Stage(world)) as stage,
    ):
        yield stage
