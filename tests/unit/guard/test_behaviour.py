"""Where the policy requires a clean detonation, nothing else runs; nothing waits for ever, nothing fails open."""

import asyncio

import pytest

from pratique.errors import SandboxError
from pratique.model import Behaviour, Detonation, ImageIdentity
from pratique.policy import Admission, Detonated, Document, Require
from tests.unit.guard.asking import GOOD, World, question, rule

CREATE = question("POST", "/v1.41/containers/create", {"Image": "good:1"})
DETONATED = Document(admission=Admission(require=Require(detonated=Detonated.CLEAN), detonation_deadline_s=0.1))


def test_without_the_requirement_nothing_is_detonated(world: World) -> None:
    assert rule(world.ask_bytes(CREATE)) == "allow"
    assert world.detonations == []


def test_image_that_was_detonated_clean_may_run(world: World) -> None:
    world.document = DETONATED
    assert rule(world.ask_bytes(CREATE)) == "allow"
    assert world.detonations == [GOOD]


@pytest.mark.parametrize("behaviour", [Behaviour.BAD, Behaviour.UNCLEAR])
def test_image_whose_detonation_is_not_clean_is_refused(world: World, behaviour: Behaviour) -> None:
    world.document = DETONATED
    world.behaviours[GOOD] = behaviour
    refused = world.ask_bytes(CREATE)
    assert rule(refused) == "start.detonation"
    assert f"its detonation is {behaviour}: a miner was started (exec.miner)" in refused.reason


class SlowSandbox(World):
    """A world whose sandbox waits until it is told to go on, and may fail."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.document = DETONATED
        self.go = asyncio.Event()
        self.error = error

    async def detonation(self, image: ImageIdentity) -> Detonation:
        answer = await super().detonation(image)
        await self.go.wait()
        if self.error:
            raise self.error
        return answer


def test_a_detonation_that_takes_too_long_goes_on_while_the_client_is_told_to_try_again() -> None:
    async def story() -> None:
        world = SlowSandbox()
        async with world.guard() as guard:
            first = await asyncio.gather(*(guard.decide(CREATE) for _ in range(5)))
            assert {rule(decision) for decision in first} == {"start.detonating"}
            assert "is being detonated; try again in a moment" in first[0].reason
            assert world.detonations == [GOOD]
            world.go.set()
            assert rule(await guard.decide(CREATE)) == "allow"

    asyncio.run(story())


@pytest.mark.parametrize("error", [SandboxError("there is no runc", hint="install runc"), ValueError("a mistake")])
def test_image_that_cannot_be_detonated_is_refused(error: Exception) -> None:
    async def story() -> None:
        world = SlowSandbox(error)
        world.go.set()
        async with world.guard() as guard:
            assert rule(await guard.decide(CREATE)) == "start.no-detonation"

    asyncio.run(story())


def test_the_guard_ends_with_a_detonation_still_running() -> None:
    async def story() -> None:
        world = SlowSandbox()
        async with world.guard() as guard:
            assert rule(await guard.decide(CREATE)) == "start.detonating"

    asyncio.run(story())
