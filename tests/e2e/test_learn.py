"""From the traffic of an honest service to a policy that is live, without a restart of anything."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from pratique.model import EgressMode
from pratique.policy import Builds, Document, parse, render
from testbed.protection import Protection
from testbed.shop import policy
from testbed.stage import Stage

PATIENCE_S = 30.0


def learning() -> Document:
    """Return the shop's policy as it was before anybody knew who talks to whom."""
    document = parse(policy(Builds.DENY).encode())
    images = tuple(replace(entry, egress=EgressMode.LEARN, allow=()) for entry in document.images)
    return replace(document, images=images)


def learn(protection: Protection, since: float, rules: int) -> Document:
    """Run ``pratique learn`` until it has learnt so many rules: the service needs a moment to talk to all its peers."""
    start = datetime.fromtimestamp(since, UTC).isoformat()
    deadline = time.monotonic() + PATIENCE_S
    while True:
        document = parse(protection.run("learn", "--since", start).encode())
        if sum(len(entry.allow) for entry in document.images) >= rules:
            return document
        assert time.monotonic() < deadline, document
        time.sleep(0.5)


@pytest.mark.usefixtures("undisturbed")
def test_learnt_list_goes_live_lets_the_service_go_on_and_stops_the_intruder(
    stage: Stage, mark: int, tmp_path: Path
) -> None:
    honest = parse(policy(Builds.DENY).encode())
    wanted = {
        (image_id, rule.to, rule.port, rule.protocol)
        for entry in honest.images
        for image_id in entry.ids
        for rule in entry.allow
    }
    with Protection(stage.engine, render(learning())) as protection:
        learnt = learn(protection, time.time(), len(wanted))
        assert {
            (image_id, rule.to, rule.port, rule.protocol)
            for entry in learnt.images
            for image_id in entry.ids
            for rule in entry.allow
        } == wanted
        assert {entry.egress for entry in learnt.images} == {EgressMode.ENFORCE}

        file = tmp_path / "learnt.yaml"
        file.write_text(render(learnt))
        assert protection.run("policy", "apply", str(file)).startswith("live: ")
        for name in ("d6.4", "d7.4"):
            outcome = stage.attack.play(stage.steps[name])
            assert not outcome.succeeded, outcome.received
        served = stage.world.customers.mark()
        time.sleep(1.0)
        assert stage.orders(served)
    assert stage.received(mark) == []
