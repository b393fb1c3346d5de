"""The cell for tests of the egress feature, and a watched engine for those of what containers execute."""

import os
from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container

from pratique.model import FlowEvent, Protocol
from pratique.sensor import Sensor
from testbed.cell import FRIEND4, FRIEND6, IDS, PORT, Cell, Inmate, collect, policy
from testbed.engine import ThrowAwayEngine
from tests.integration.sensor.watched import Watched, acts_image, watching

ALLOWED = (
    (f"{FRIEND4}/32", Protocol.TCP, PORT),
    (f"{FRIEND6}/128", Protocol.TCP, PORT),
    (f"{FRIEND4}/32", Protocol.UDP, PORT),
    (f"{FRIEND6}/128", Protocol.UDP, PORT),
)


@pytest.fixture(scope="module")
def stage(root: None) -> Iterator[Cell]:
    del root
    with Cell(f"pqegress{os.getpid()}") as stage:
        yield stage


@pytest.fixture
def cell(stage: Cell) -> Iterator[Cell]:
    """One cell for the tests of a module, tidied up after each."""
    stage.frames()
    yield stage
    stage.tidy()


@pytest.fixture(scope="module")
def running(stage: Cell) -> Iterator[Sensor]:
    sensor = stage.sensor([policy(0)])
    assert sensor.features == {"egress": "live"}
    yield sensor
    sensor.close(keep=False)


@pytest.fixture
def enforcing(running: Sensor) -> Sensor:
    """A sensor that enforces an empty list, and for one container a short one."""
    running.apply([policy(0), policy(1, *ALLOWED)], {IDS[0]: 1})
    collect(running, FlowEvent)
    return running


@pytest.fixture
def inmate(cell: Cell, enforcing: Sensor) -> Inmate:
    """A process in the container with a list of its own."""
    del enforcing
    return cell.inmate(IDS[0])


@pytest.fixture(scope="module")
def sensor(engine: ThrowAwayEngine) -> Iterator[Sensor]:
    """A sensor over the engine's containers."""
    client = engine.client()
    acts_image().load(client)
    client.close()
    with watching(engine) as sensor:
        yield sensor


@pytest.fixture
def watched(engine: ThrowAwayEngine, client: docker.DockerClient, sensor: Sensor) -> Watched:
    """The engine and the sensor; what was not in the image is killed."""
    watched = Watched(engine, client, sensor)
    watched.enforce()
    return watched


@pytest.fixture
def container(watched: Watched) -> Container:
    """A container that waits; its start is not among the events."""
    container = watched.start()
    watched.events()
    return container
