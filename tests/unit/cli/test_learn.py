import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from pratique.model import EgressMode, FlowVerdict, Severity
from pratique.policy import Document, ImagePolicy, parse, render
from pratique.store import Store
from tests.unit.cli.conftest import Run
from tests.unit.store.values import CHECKOUT, CONTAINER, alert, flow


@pytest.fixture
def quiet(host: Path) -> Store:
    """A store of a host on which nothing bad happened."""
    store = Store.open(host / "state" / "pratique.db")
    store.put_image(CHECKOUT, 100.0)
    store.put_container(CONTAINER, "unlisted", True, 100.0)
    store.add_flows([flow(), flow("203.0.113.7", 443, at=200.0), flow("10.9.9.9", 1, verdict=FlowVerdict.DENIED)])
    return store


SINCE = ("--since", "1970-01-01T00:00:01")


@pytest.mark.usefixtures("quiet")
def test_traffic_of_the_past_becomes_a_policy(pratique: Run) -> None:
    code, out, err = pratique("learn", *SINCE)
    assert code == 0
    (entry,) = parse(out.encode()).images
    assert (entry.name, entry.ids, entry.egress) == ("shop/checkout:1", (CHECKOUT.id,), EgressMode.ENFORCE)
    assert {(rule.to, rule.port) for rule in entry.allow} == {("10.0.0.2", 6379), ("203.0.113.7", 443)}
    assert "2 new rules" in err
    assert "policy apply" in err


@pytest.mark.usefixtures("quiet")
def test_refused_traffic_is_learnt_only_when_asked_for(pratique: Run) -> None:
    _, out, _ = pratique("learn", *SINCE, "--include-denied")
    (entry,) = parse(out.encode()).images
    assert "10.9.9.9" in {rule.to for rule in entry.allow}


@pytest.mark.usefixtures("quiet")
def test_policy_in_force_is_merged(pratique: Run, host: Path) -> None:
    mine = ImagePolicy(name="other", ids=("sha256:" + "9" * 64,), egress=EgressMode.MONITOR)
    (host / "state" / "policy.yaml").write_text(render(Document(images=(mine,))))
    _, out, _ = pratique("learn", *SINCE)
    document = parse(out.encode())
    assert mine in document.images
    assert len(document.images) == 2


def test_nothing_is_learnt_from_a_container_with_a_grave_alert(pratique: Run, quiet: Store) -> None:
    grave = replace(alert(), rule="exec.drift", severity=Severity.CRITICAL, container=CONTAINER.id)
    quiet.add_alerts([grave])
    _, out, err = pratique("learn", *SINCE)
    assert parse(out.encode()).images == ()
    assert "shop/checkout:1" in err


def test_alert_about_an_unlisted_peer_does_not_hinder_learning_it(pratique: Run, quiet: Store) -> None:
    quiet.add_alerts([replace(alert(), rule="net.egress", container=CONTAINER.id)])
    _, out, _ = pratique("learn", *SINCE)
    assert len(parse(out.encode()).images) == 1


@pytest.mark.usefixtures("quiet")
def test_output_goes_to_a_new_file_only(pratique: Run, host: Path) -> None:
    path = host / "learnt.yaml"
    code, out, err = pratique("learn", *SINCE, "-o", str(path))
    assert (code, out) == (0, "")
    assert f"policy apply {path}" in err
    assert len(parse(path.read_bytes()).images) == 1
    before = path.read_bytes()
    assert pratique("learn", *SINCE, "-o", str(path))[0] == 1
    assert path.read_bytes() == before


@pytest.mark.usefixtures("quiet")
def test_span_and_start_exclude_each_other(pratique: Run) -> None:
    assert pratique("learn", "--since", "1h", "--for", "1m")[0] == 1
    assert pratique("learn", "--for", "soon")[0] == 1
    assert pratique("learn", *SINCE, "--image", "no/such")[0] == 1


@pytest.mark.usefixtures("quiet")
def test_watching_ends_by_itself(pratique: Run) -> None:
    code, out, err = pratique("learn", "--for", "1s")
    assert code == 0
    assert parse(out.encode()).images[0].allow == ()
    assert "watching for 0:01" in err


@pytest.mark.usefixtures("quiet")
def test_watching_that_is_ended_early_still_writes() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pratique", "learn", "--for", "1h"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    assert process.stderr is not None
    assert "watching for 60:00" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert len(parse(out.encode()).images) == 1
