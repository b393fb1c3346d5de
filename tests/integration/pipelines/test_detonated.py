"""``require: detonated: clean`` on a real engine: condemned by behaviour alone, with static scanning switched off."""

from collections.abc import Iterator

import docker
import pytest
from docker.errors import APIError

from pratique.model import Behaviour
from pratique.store import Store
from testbed import behaviours, images
from testbed.engine import ThrowAwayEngine
from testbed.protection import Protection

POLICY = """\
admission:
  fail_on: []
  incomplete: allow
  require: {{ detonated: clean }}
  detonate_for_s: 2
  detonation_deadline_s: {deadline}
unlisted: {{ drift: alert }}
"""
EVIL = next(one for one in behaviours.BAD if one.name == "stratum").image()


@pytest.fixture
def engine(root: None) -> Iterator[ThrowAwayEngine]:
    """An engine on cgroups as this host has them: the sandbox needs controllers, which an emulated v2 lacks."""
    del root
    with ThrowAwayEngine() as engine:
        client = engine.client()
        images.redis().load(client)
        client.close()
        yield engine


def refusal(client: docker.DockerClient, image: str) -> str:
    """Return why a container may not be created, or nothing."""
    try:
        client.containers.create(image, name="asked").remove()
    except APIError as error:
        return str(error.explanation)
    return ""


def test_image_in_which_nothing_is_to_be_found_is_refused_for_what_it_does(engine: ThrowAwayEngine) -> None:
    client = engine.client()
    EVIL.load(client)
    with Protection(engine, POLICY.format(deadline=0.1)) as protection:
        first = refusal(client, EVIL.reference)
        assert "start.detonating" in first
        assert "is being detonated; try again in a moment" in first
        protection.set_policy(POLICY.format(deadline=120))
        protection.wait_for(f"detonated {EVIL.reference}: bad")
        second = refusal(client, EVIL.reference)
        assert "start.detonation" in second or "start.condemned" in second
        assert "A mining pool's protocol was spoken (net.miner-protocol)" in second
        assert refusal(client, "shop/redis:1") == ""
        with Store.open(protection.policy_path.parent / "pratique.db", read_only=True) as store:
            assert store.detonations.verdicts() == {EVIL.id: Behaviour.BAD, images.redis().id: Behaviour.CLEAN}
            assert [(one.image, one.source) for one in store.families.condemned()] == [(EVIL.id, "detonation")]
            assert "image.behaviour" in {record.alert.rule for record in store.alerts()}
    client.close()
