"""The attack, step by step: every step succeeds without Pratique, and fails at its wall with it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from pratique.policy import Builds
from testbed import images
from testbed.protection import Protection
from testbed.servers import POOL_PORT
from testbed.shop import policy
from testbed.stage import Stage
from testbed.steps import steps
from testbed.world import ATTACKER

STEPS = [step.name for step in steps("")]

TOLD: dict[str, tuple[str, str, str]] = {
    "a1": ("api.build", "T1612", "refused"),
    "a2": ("api.build", "T1612", "refused"),
    "b1": ("api.unhealthy-image", "T1610", "refused"),
    "b2": ("api.unhealthy-image", "T1610", "refused"),
    "b3": ("api.unhealthy-image", "T1610", "refused"),
    "b4": ("net.egress", "T1041", "denied"),
    "c1": ("api.settings", "T1611", "refused"),
    "c2": ("api.settings", "T1611", "refused"),
    "c3": ("api.settings", "T1611", "refused"),
    "c4": ("api.settings", "T1611", "refused"),
    "c5": ("api.settings", "T1611", "refused"),
    "d1": ("exec.drift", "T1105", "killed"),
    "d2": ("exec.fileless", "T1620", "killed"),
    "d3": ("exec.library", "T1574", "killed"),
    "d4": ("net.miner-port", "T1496.001", "denied"),
    "d5": ("net.scan", "T1046", ""),
    "d12.4": ("net.packet-socket", "T1040", "killed"),
    "d12.6": ("net.packet-socket", "T1040", "killed"),
}
"""Step → rule, technique and action of the alert that tells of it; all others are traffic to a peer not on the list."""

EGRESS = ("net.egress", "T1041", "denied")
PATIENCE_S = 10.0


def alert_of(protection: Protection, since: float, rule: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        told = protection.alerts(since)
        found = next((alert for alert in told if alert["rule"] == rule), None)
        if found is not None:
            return found
        assert time.monotonic() < deadline, f"no alert {rule}, only {sorted({alert['rule'] for alert in told})}"


@pytest.mark.parametrize("name", STEPS)
def test_step_succeeds_without_protection(stage: Stage, name: str) -> None:
    outcome = stage.attack.play(stage.steps[name])
    assert outcome.succeeded, outcome.received


@pytest.fixture(scope="module")
def protected(stage: Stage) -> Iterator[Protection]:
    with Protection(stage.engine, policy(Builds.DENY)) as protection:
        yield protection


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize("name", STEPS)
def test_step_is_stopped_and_told(stage: Stage, protected: Protection, name: str, mark: int) -> None:
    started = time.time()
    outcome = stage.attack.play(stage.steps[name])

    assert not outcome.succeeded, outcome.received
    assert stage.received(mark) == []
    rule, technique, action = TOLD.get(name, EGRESS)
    alert = alert_of(protected, started, rule)
    assert technique in {each["id"] for each in alert["techniques"]}
    assert not action or alert["action"] == action
    if name.startswith("d"):
        assert alert["image"] == images.checkout().id
        assert alert["container"] == stage.shop.checkout.id


@pytest.mark.parametrize(("name", "words"), [("a1", "build"), ("b1", "malware"), ("c1", "privileged")])
def test_refusal_tells_the_client_why(stage: Stage, protected: Protection, name: str, words: str) -> None:
    del protected
    outcome = stage.attack.play(stage.steps[name])
    assert "authorization denied" in outcome.received
    assert words in outcome.received.lower()


def test_refusal_of_an_image_names_its_id(stage: Stage, protected: Protection) -> None:
    started = time.time()
    stage.attack.play(stage.steps["b1"])
    assert alert_of(protected, started, "api.unhealthy-image")["image"] == images.miner(ATTACKER, POOL_PORT).id


@pytest.mark.parametrize("name", ["a1", "a2"])
def test_build_that_is_let_run_cannot_reach_the_attacker(
    stage: Stage, protected: Protection, name: str, mark: int
) -> None:
    said = protected.log.stat().st_size
    protected.set_policy(policy(Builds.GATE))
    protected.wait_for("policy in force", after=said)
    started = time.time()
    try:
        outcome = stage.attack.play(stage.steps[name])
        assert not outcome.succeeded, outcome.received
        assert stage.received(mark) == []
        assert alert_of(protected, started, "net.egress")["action"] == "denied"
    finally:
        said = protected.log.stat().st_size
        protected.set_policy(policy(Builds.DENY))
        protected.wait_for("policy in force", after=said)


def test_honest_service_was_undisturbed(stage: Stage, protected: Protection) -> None:
    assert protected.alive
    assert stage.orders() > 0
    assert stage.errors() == []
