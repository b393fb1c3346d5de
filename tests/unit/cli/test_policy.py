import fcntl
import hashlib
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pratique.pipelines.presence import APPLIED_STATE, LOCK_NAME
from pratique.policy import Builds, Document, parse, render
from pratique.store import Store
from tests.unit.cli.conftest import Run

GATE = b"version: 1\nbuilds: gate\n"


@pytest.fixture
def file(host: Path) -> Path:
    path = host / "new.yaml"
    path.write_bytes(GATE)
    return path


@pytest.fixture
def lock(host: Path) -> Iterator[None]:
    """Hold what a running agent holds."""
    (host / "run").mkdir()
    descriptor = os.open(host / "run" / LOCK_NAME, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield
    os.close(descriptor)


@pytest.mark.usefixtures("host")
def test_first_policy_is_valid_and_says_what_is_the_default(pratique: Run) -> None:
    code, out, err = pratique("policy", "init")
    assert (code, err) == (0, "")
    assert parse(out.encode()) == Document()


def test_file_that_is_there_is_never_overwritten(pratique: Run, host: Path, file: Path) -> None:
    code, _, err = pratique("policy", "init", "-o", str(file))
    assert code == 1
    assert "exists already" in err
    assert file.read_bytes() == GATE
    assert pratique("policy", "init", "-o", str(host / "other.yaml"))[0] == 0
    assert pratique("policy", "check", str(host / "other.yaml"))[0] == 0


def test_check_tells_what_a_file_holds_or_what_is_wrong(pratique: Run, file: Path) -> None:
    code, out, _ = pratique("policy", "check", str(file))
    assert code == 0
    assert "0 images, 0 rules, builds gate" in out
    file.write_text("builds: nope\n")
    code, out, err = pratique("policy", "check", str(file))
    assert (code, out) == (1, "")
    assert str(file) in err
    assert "nope" in err


def test_policy_without_an_agent_is_in_force_from_the_next_start(pratique: Run, host: Path, file: Path) -> None:
    code, out, _ = pratique("policy", "apply", str(file))
    assert code == 0
    assert "next start" in out
    path = host / "state" / "policy.yaml"
    assert path.read_bytes() == GATE
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with Store.open(host / "state" / "pratique.db") as store:
        assert store.policies()[0].sha256 == hashlib.sha256(GATE).hexdigest()
        (record,) = store.decisions()
        assert record.decision.rule == "policy.apply"
        assert record.decision.source.startswith("user ")
    assert pratique("policy", "show")[1] == GATE.decode()


def test_bad_policy_changes_nothing(pratique: Run, host: Path, file: Path) -> None:
    pratique("policy", "apply", str(file))
    file.write_text("builds: nope\n")
    assert pratique("policy", "apply", str(file))[0] == 1
    assert (host / "state" / "policy.yaml").read_bytes() == GATE
    assert sorted(path.name for path in (host / "state").iterdir() if "db" not in path.name) == ["policy.yaml"]
    with Store.open(host / "state" / "pratique.db") as store:
        assert len(store.decisions()) == 1


@pytest.mark.usefixtures("lock")
def test_policy_is_called_live_when_the_agent_says_so(pratique: Run, host: Path, file: Path, store: Store) -> None:
    def agent() -> None:
        while not (host / "state" / "policy.yaml").exists():
            time.sleep(0.01)
        store.set_state(APPLIED_STATE, hashlib.sha256((host / "state" / "policy.yaml").read_bytes()).hexdigest())

    thread = threading.Thread(target=agent)
    thread.start()
    code, out, _ = pratique("policy", "apply", str(file))
    thread.join()
    assert code == 0
    assert out.startswith("live: 0 images")


@pytest.mark.usefixtures("lock", "store")
def test_agent_that_does_not_take_the_policy_is_told(
    pratique: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pratique.cli.policy._APPLY_WITHIN_S", 0.3)
    code, out, err = pratique("policy", "apply", str(file))
    assert (code, out) == (1, "")
    assert "did not put it into force" in err
    code, out, err = pratique("policy", "show")
    assert code == 0
    assert "not in force yet" in err


@pytest.mark.usefixtures("host")
def test_missing_file_names_the_next_step(pratique: Run) -> None:
    for arguments in (("check", "/nonexistent"), ("apply", "/nonexistent"), ("show",)):
        code, _, err = pratique("policy", *arguments)
        assert code == 1
        assert "policy init" in err


@pytest.mark.parametrize("command", ["check", "apply"])
def test_what_is_not_a_file_is_refused_and_never_waited_for(pratique: Run, host: Path, command: str) -> None:
    os.mkfifo(host / "fifo")
    for path in ("/dev/zero", str(host / "fifo"), str(host)):
        code, _, err = pratique("policy", command, path)
        assert code == 1
        assert f"policy {path} is not a file" in err
    assert not (host / "state" / "policy.yaml").exists()


def test_from_host_without_an_engine_is_one_clear_error(
    pratique: Run, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRATIQUE_DOCKER_HOST", f"unix://{host}/no.sock")
    code, out, err = pratique("policy", "init", "--from-host")
    assert (code, out) == (1, "")
    assert "Traceback" not in err


def test_document_survives_apply_and_show(pratique: Run, host: Path) -> None:
    path = host / "p.yaml"
    path.write_text(render(Document(builds=Builds.ALLOW)))
    pratique("policy", "apply", str(path))
    assert parse(pratique("policy", "show")[1].encode()).builds is Builds.ALLOW
