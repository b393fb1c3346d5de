"""``policy init --from-host`` against a real engine."""

from pathlib import Path

import docker
import pytest

from pratique.cli import run
from pratique.model import EgressMode, Finding, FindingKind, ImageId, ImageIdentity, Report, Severity
from pratique.policy import parse
from pratique.store import Store
from testbed.engine import ThrowAwayEngine


@pytest.fixture
def image_id(
    engine: ThrowAwayEngine, client: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ImageId:
    """Return the id of the image of the one container that runs."""
    for name, value in engine.options(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PRATIQUE_STATE_DIR", str(tmp_path))
    container = client.containers.run("shop/redis:1", detach=True, network_mode="none")
    assert container.image is not None
    return ImageId(str(container.image.id))


def init(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    assert run(["policy", "init", "--from-host"]) == 0
    told = capsys.readouterr()
    return told.out, told.err


def test_image_that_runs_and_passes_is_listed_to_be_learnt(
    image_id: ImageId, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store.open(tmp_path / "pratique.db") as store:
        store.put_report(Report(ImageIdentity(image_id), scanned_at=1.0, duration_s=1.0))
    out, err = init(capsys)
    (entry,) = parse(out.encode()).images
    assert (entry.name, entry.ids, entry.egress) == ("shop/redis:1", (image_id,), EgressMode.LEARN)
    assert err == ""


def test_image_without_a_passing_report_is_told_and_not_listed(
    image_id: ImageId, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = init(capsys)
    assert parse(out.encode()).images == ()
    assert "shop/redis:1, it has no report yet" in err
    malware = Finding(FindingKind.MALWARE, "miner", Severity.CRITICAL, "a miner")
    with Store.open(tmp_path / "pratique.db") as store:
        store.put_report(Report(ImageIdentity(image_id), scanned_at=1.0, duration_s=1.0, findings=(malware,)))
    out, err = init(capsys)
    assert parse(out.encode()).images == ()
    assert "shop/redis:1, its report does not pass" in err
