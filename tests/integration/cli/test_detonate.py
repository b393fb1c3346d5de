"""The command on real images, without an engine and without an agent."""

from pathlib import Path

import msgspec
import pytest

from pratique.cli import run
from pratique.model import Behaviour, Detonation
from pratique.store import Store
from testbed import images


@pytest.fixture
def state(root: None, tmp_path: Path) -> list[str]:
    del root
    return ["--state-dir", str(tmp_path / "state")]


def archive(tmp_path: Path, image: images.Image) -> str:
    path = tmp_path / "image.tar"
    path.write_bytes(image.archive)
    return str(path)


def kept(tmp_path: Path, image: images.Image) -> Detonation | None:
    with Store.open(tmp_path / "state" / "pratique.db") as store:
        return store.detonations.get(image.id)


def test_bad_image_is_told_kept_and_condemned(
    state: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = images.miner("203.0.113.9", 3333)
    assert run(["detonate", "--for", "2s", *state, archive(tmp_path, image)]) == 2
    printed = capsys.readouterr()
    assert "verdict       bad: A cryptocurrency miner was started (exec.miner); and 1 more" in printed.out
    assert "- { to: 203.0.113.9, port: 3333, protocol: tcp }" in printed.out
    assert "/usr/bin/xmrig" in printed.out
    assert "evil/miner:1 is bad" in printed.err
    detonation = kept(tmp_path, image)
    assert detonation is not None
    assert detonation.verdict is Behaviour.BAD
    with Store.open(tmp_path / "state" / "pratique.db") as store:
        assert [one.source for one in store.families.condemned()] == ["detonation"]


def test_clean_image_is_a_document_for_other_tools(
    state: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = images.redis()
    assert run(["detonate", "--for", "2s", "-f", "json", "--no-store", *state, archive(tmp_path, image)]) == 0
    document = msgspec.json.decode(capsys.readouterr().out, type=Detonation)
    assert (document.verdict, document.image.id) == (Behaviour.CLEAN, image.id)
    assert document.programs == ("/usr/bin/redis",)
    assert not (tmp_path / "state" / "pratique.db").exists()


def test_result_of_another_command_says_nothing_about_the_image_and_is_not_kept(
    state: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = images.base()
    command = ["sh", "-c", "echo x > /etc/ld.so.preload"]
    assert run(["detonate", "--for", "2s", *state, archive(tmp_path, image), "--", *command]) == 2
    assert "file.preload" in capsys.readouterr().out
    assert kept(tmp_path, image) is None


def test_image_that_cannot_be_started_is_unclear(
    state: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = archive(tmp_path, images.base())
    assert run(["detonate", "--for", "2s", *state, path, "--", "/no/such/program"]) == 3
    assert "could not be started" in capsys.readouterr().out


def test_what_is_no_image_is_one_error(state: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "image.tar").write_bytes(b"\0" * 10_240)
    assert run(["detonate", *state, str(tmp_path / "image.tar")]) == 1
    assert run(["detonate", "--for", "0s", *state, str(tmp_path / "image.tar")]) == 1
    assert "Traceback" not in capsys.readouterr().err
