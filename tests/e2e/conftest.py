"""The story's stage, on a host with hybrid cgroups and on one with cgroup v2, and Pratique on it."""

from collections.abc import Iterator

import pytest

from pratique.policy import Builds
from testbed.protection import Protection
from testbed.shop import policy
from testbed.stage import Stage, open_stage


@pytest.fixture(scope="session", params=["hybrid", "v2"])
def stage(request: pytest.FixtureRequest, root: None) -> Iterator[Stage]:
    """One stage for each way of mounting cgroups; no Pratique on it yet."""
    del root
    with open_stage(request.param, daemon_json={"live-restore": True}) as stage:
        yield stage


@pytest.fixture
def mark(stage: Stage) -> int:
    """Where the attacker's report stands as the test begins."""
    return stage.world.mark()


@pytest.fixture
def undisturbed(stage: Stage) -> Iterator[None]:
    """Demand that the honest service answered every customer throughout the test."""
    before = stage.world.customers.mark()
    yield
    assert stage.orders(before)
    assert stage.errors(before) == []


@pytest.fixture
def protection(stage: Stage) -> Iterator[Protection]:
    """A ``pratique up`` of the test's own, which it may stop, kill and start."""
    protection = Protection(stage.engine, policy(Builds.DENY))
    try:
        protection.start()
        yield protection
    finally:
        if not protection.alive:
            protection.start()
        protection.stop()
        stage.attack.clean()
