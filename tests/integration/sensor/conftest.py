"""The cell for tests of the egress feature, and a watched engine for those of what containers execute."""

import os
from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container

from pratique.sensor import Sensor
from testbed.cell import Cell
from testbed.engine import ThrowAwayEngine
from tests.integration.sensor.watched import Watched, acts_image, watching


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
