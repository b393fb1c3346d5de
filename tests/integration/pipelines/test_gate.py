"""The gate with the real sandbox and a real engine: what only running tells is told, honest images go on."""

from pathlib import Path

import pytest

from pratique.cli import run
from testbed import images
from testbed.behaviours import BAD
from testbed.engine import ThrowAwayEngine


@pytest.fixture(autouse=True)
def state(root: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del root
    monkeypatch.setenv("PRATIQUE_STATE_DIR", str(tmp_path / "state"))


def saved(image: images.Image, folder: Path) -> str:
    path = folder / "image.tar"
    path.write_bytes(image.archive)
    return str(path)


def test_archive_that_is_bad_by_behaviour_alone_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = next(behaviour for behaviour in BAD if behaviour.name == "stratum")
    archive = saved(bad.image(), tmp_path)
    assert run(["gate", "--no-detonate", archive]) == 0
    capsys.readouterr()
    junit = tmp_path / "report.xml"
    assert run(["gate", "--for", "5s", "-f", f"junit={junit}", archive]) == 2
    told = capsys.readouterr().out
    assert told.startswith("REFUSED  ")
    assert "  - behaviour: " in told
    assert 'testsuite name="behaviour"' in junit.read_text()
    assert "<failure" in junit.read_text()


def test_honest_image_of_an_engine_goes_on(engine: ThrowAwayEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gate", "--for", "3s", "--docker-host", engine.url, "shop/redis:1"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"PASSED  shop/redis:1  {images.redis().id[:19]}\n")
    assert "  sandbox    ran 3 s: clean" in told


def test_unknown_image_is_an_error(engine: ThrowAwayEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gate", "--docker-host", engine.url, "no/such:image"]) == 1
    assert "neither a file nor an image of the engine" in capsys.readouterr().err
