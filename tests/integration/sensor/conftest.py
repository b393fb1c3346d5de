"""The world for tests of the egress feature."""

import os
from collections.abc import Iterator

import pytest

from tests.integration.sensor.world import World


@pytest.fixture(scope="module")
def stage(root: None) -> Iterator[World]:
    del root
    with World(f"pqegress{os.getpid()}") as stage:
        yield stage


@pytest.fixture
def world(stage: World) -> Iterator[World]:
    """One world for the tests of a module, tidied up after each."""
    stage.frames()
    yield stage
    stage.tidy()
