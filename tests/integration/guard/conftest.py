"""An engine behind the guard, for all tests of this folder."""

from collections.abc import Iterator

import docker
import pytest

from pratique.guard.install import install, uninstall
from testbed import images
from testbed.engine import ThrowAwayEngine
from tests.integration.guard.guarded import Guarded


@pytest.fixture(scope="module")
def guarded_engine(root: None) -> Iterator[Guarded]:
    """An engine that asks the guard about everything, with two images of which the guard knows no ill."""
    del root
    with ThrowAwayEngine() as engine:
        client = engine.client()
        images.base().load(client)
        images.redis().load(client)
        client.close()
        with Guarded(engine) as guarded:
            install(guarded.target)
            yield guarded
            uninstall(guarded.target)


@pytest.fixture
def guarded(guarded_engine: Guarded) -> Iterator[Guarded]:
    """The same with the policy, the reports and the containers as at first."""
    guarded_engine.reset()
    yield guarded_engine
    guarded_engine.reset()


@pytest.fixture
def attacker(guarded: Guarded) -> Iterator[docker.DockerClient]:
    """A client that reaches the API over TCP without authentication."""
    client = guarded.engine.client(tcp=True)
    yield client
    client.close()
