"""A swarm service is replaced by swarm's own rolling update, and rolled back when that fails."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from docker.models.services import Service
from docker.types import ServiceMode, UpdateConfig

from pratique.errors import ReplaceError
from pratique.model import ImageId, PlanState, Report, SwapMode
from pratique.pipelines.replace_plan import Planner, Question
from pratique.pipelines.replacement import Replacement, Terms
from pratique.policy import Document
from pratique.responders import Patience
from pratique.runtime import Engine
from pratique.store import Store
from testbed import fleet
from testbed.engine import BRIDGE, ThrowAwayEngine
from tests.integration.sensor.watched import wait_until

ADDRESS = BRIDGE.partition("/")[0]


@pytest.fixture(scope="module")
def swarm(root: None) -> Iterator[tuple[ThrowAwayEngine, docker.DockerClient]]:
    del root
    with ThrowAwayEngine() as engine:
        client = engine.client()
        for version, broken in ((1, ""), (2, ""), (3, "ends")):
            fleet.image("db", version, broken=broken).load(client)
        client.swarm.init(advertise_addr=ADDRESS, listen_addr=f"{ADDRESS}:2377", data_path_addr=ADDRESS)
        yield engine, client
        client.close()


@pytest.fixture
def service(swarm: tuple[ThrowAwayEngine, docker.DockerClient]) -> Iterator[Service]:
    made: Service = swarm[1].services.create(  # type: ignore[no-untyped-call]
        "fleet/db:1",
        name="db",
        mode=ServiceMode("replicated", replicas=2),
        update_config=UpdateConfig(parallelism=1, monitor=3_000_000_000, failure_action="pause"),
    )
    wait_until(lambda: images(made) == ["fleet/db:1"] * 2, "both tasks")
    yield made
    made.remove()  # type: ignore[no-untyped-call]


def images(service: Service) -> list[str]:
    return [
        task["Spec"]["ContainerSpec"]["Image"].partition("@")[0]
        for task in service.tasks({"desired-state": "running"})  # type: ignore[no-untyped-call]
        if task["Status"]["State"] == "running"
    ]


async def replace(engine: ThrowAwayEngine, folder: Path, successor: str) -> Replacement:
    with Store.open(folder / "store.db") as store:
        async with Engine.connect(engine.url) as client:

            async def report(image_id: ImageId) -> Report:
                image = await client.image(image_id)
                assert image is not None
                return Report(image=image, scanned_at=1.0, duration_s=0.0)

            plan = await Planner(client, store, Document(), report).plan(
                Question(image="fleet/db:1", successor=successor)
            )
            assert [(step.name, step.mode) for step in plan.steps] == [("db", SwapMode.SERVICE)]
            terms = Terms(folder / "none", "user test", agent_runs=False, patience=Patience(health_s=60))
            replacement = Replacement(client, store, plan, terms, print)
            with suppress(ReplaceError):  # the plan tells
                await replacement.carry_out()
            return replacement


def test_service_rolls_over(
    swarm: tuple[ThrowAwayEngine, docker.DockerClient], service: Service, tmp_path: Path
) -> None:
    done = asyncio.run(replace(swarm[0], tmp_path, "fleet/db:2"))
    assert done.plan.state is PlanState.DONE
    wait_until(lambda: images(service) == ["fleet/db:2"] * 2, "the new tasks")


def test_update_that_swarm_gives_up_is_rolled_back(
    swarm: tuple[ThrowAwayEngine, docker.DockerClient], service: Service, tmp_path: Path
) -> None:
    done = asyncio.run(replace(swarm[0], tmp_path, "fleet/db:3"))
    assert done.plan.state is PlanState.FAILED
    assert "swarm gave the update of db up" in done.plan.note
    wait_until(lambda: images(service) == ["fleet/db:1"] * 2, "the old tasks")
