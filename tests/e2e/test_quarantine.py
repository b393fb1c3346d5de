"""``pratique quarantine`` and ``release``, as a user types them, against containers of a real engine."""

import json
import signal
import tarfile

import pytest

from testbed import images
from testbed.protection import Protection
from testbed.shop import NEIGHBOUR, REDIS_PORT
from testbed.stage import Stage
from tests.integration.sensor.watched import wait_until


def answers(stage: Stage) -> bool:
    """Whether the neighbour answers somebody outside within a second."""
    script = f"exec 3<>/dev/tcp/{NEIGHBOUR}/{REDIS_PORT}; printf 'INCR x\\r\\n' >&3; read -t 1 -r line <&3"
    try:
        stage.engine.network.run("timeout", "2", "bash", "-c", script)
    except RuntimeError:
        return False
    return True


@pytest.mark.usefixtures("undisturbed")
def test_quarantine_outlives_agent_and_container_and_ends_with_release(stage: Stage, protection: Protection) -> None:
    assert answers(stage)
    said = protection.run("quarantine", "ledger", "--reason", "it behaves oddly")
    assert said == "ledger is in quarantine: the kernel cuts all its traffic, until 'pratique release ledger'\n"
    assert not answers(stage)
    assert "it behaves oddly" in protection.run("quarantine", "--list")

    protection.stop(signal.SIGKILL)
    assert not answers(stage)
    protection.start()
    assert not answers(stage)
    stage.shop.neighbour.restart(timeout=1)
    assert not answers(stage)

    assert protection.run("release", "ledger") == "ledger is released\n"
    wait_until(lambda: answers(stage), "the neighbour's answer")
    told = [entry for entry in json.loads(protection.run("decisions", "-f", "json")) if "quarantine" in entry["rule"]]
    assert [entry["rule"] for entry in told] == [
        "quarantine.asked",
        "quarantine.enforced",
        "quarantine.enforced",
        "quarantine.released",
        "quarantine.lifted",
    ]
    assert told[0]["source"].startswith("user ")
    assert protection.run("decisions", "--verify")


def test_quarantine_asked_for_while_no_agent_runs_begins_with_the_next(stage: Stage, protection: Protection) -> None:
    protection.stop()
    assert "no agent is running" in protection.run("quarantine", "ledger")
    assert answers(stage)
    protection.start()
    try:
        assert not answers(stage)
    finally:
        protection.run("release", "ledger")
    wait_until(lambda: answers(stage), "the neighbour's answer")


def test_quarantine_of_an_unknown_container_says_so(protection: Protection) -> None:
    with pytest.raises(RuntimeError, match="no container 'nobody' is known"):
        protection.run("quarantine", "nobody")


def test_policy_has_a_container_captured_and_put_in_quarantine_at_once(stage: Stage, protection: Protection) -> None:
    text = protection.policy_path.read_text()
    said = protection.log.stat().st_size
    protection.set_policy(text.replace("respond: []", "respond: [{ when: exec.drift, do: [capture, quarantine] }]"))
    protection.wait_for("policy in force", after=said)
    files = {"dropped": images.program("marker")}
    stage.shop.neighbour.put_archive("/tmp", images.archive(files, executable=("dropped",)))
    stage.shop.neighbour.exec_run(["/tmp/dropped", "/tmp/marker"])
    try:
        protection.wait_for("is in quarantine: exec.drift")
        assert not answers(stage)
        archives = list(protection.policy_path.with_name("captures").iterdir())
        assert len(archives) == 1
        with tarfile.open(archives[0]) as archive:
            assert "files/tmp/dropped" in archive.getnames()
        rules = [entry["rule"] for entry in json.loads(protection.run("decisions", "-f", "json"))]
        assert {"capture.written", "respond.capture", "respond.quarantine", "quarantine.enforced"} <= set(rules)
    finally:
        protection.run("release", "ledger", check=False)
    wait_until(lambda: answers(stage), "the neighbour's answer")
