"""Every bad image is condemned by the right rule, every honest one is clean; nothing is scanned, all of them are run.

Two run at a time, each as the agent would run it: in a process of its own.
"""

from collections.abc import Iterator
from concurrent.futures import Future

import msgspec
import pytest

from pratique.model import Behaviour as Verdict
from pratique.model import Detonation
from pratique.pipelines.workers import Workers
from testbed.behaviours import BAD, HONEST, Behaviour
from testbed.behaviours.run import detonate

BEHAVIOURS = [*BAD, *HONEST]
NAMES = [f"{'bad' if behaviour.rules else 'honest'}-{behaviour.name}" for behaviour in BEHAVIOURS]
AT_ONCE = 2


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[bytes]]]:
    """Begin all runs that tests of this session will ask for."""
    request.getfixturevalue("root")
    asked = [item.callspec.params.get("behaviour") for item in request.session.items if hasattr(item, "callspec")]
    behaviours = [one for one in asked if isinstance(one, Behaviour)]
    works = [str(tmp_path_factory.mktemp("work")) for _ in range(AT_ONCE)]
    pools = [Workers(1) for _ in works]
    try:
        yield {
            one.name: pools[number % AT_ONCE].submit(detonate, one.name, works[number % AT_ONCE])
            for number, one in enumerate(behaviours)
        }
    finally:
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=NAMES)
def test_verdict_and_its_reason(runs: dict[str, Future[bytes]], behaviour: Behaviour) -> None:
    detonation = msgspec.msgpack.decode(runs[behaviour.name].result(), type=Detonation)
    found = {finding.rule: finding.evidence for finding in detonation.findings}
    if behaviour.rules:
        assert detonation.verdict is Verdict.BAD, detonation.reason
        assert behaviour.rules <= found.keys(), found
    else:
        assert detonation.verdict is Verdict.CLEAN, (detonation.reason, found)


def test_names_that_differ() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert len(BAD) >= 14
    assert len(HONEST) >= 14
