"""A real engine for integration tests: one for each way of mounting cgroups, shared by the whole session."""

from collections.abc import Iterator

import docker
import pytest

from testbed import images
from testbed.engine import ThrowAwayEngine


@pytest.fixture(scope="session", params=["hybrid", "v2"])
def engine(request: pytest.FixtureRequest, root: None) -> Iterator[ThrowAwayEngine]:
    """An engine that holds ``alpine-like/base:1`` and ``shop/redis:1``. Remove what you add."""
    del root
    with ThrowAwayEngine(cgroups=request.param) as engine:
        client = engine.client()
        for image in (images.base(), images.redis()):
            image.load(client)
        client.close()
        yield engine


@pytest.fixture
def client(engine: ThrowAwayEngine) -> Iterator[docker.DockerClient]:
    """A client of the engine; the containers that the test leaves are removed."""
    client = engine.client()
    yield client
    for container in client.containers.list(all=True):
        container.remove(force=True)
    client.close()
