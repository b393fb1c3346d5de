"""The commands that act, as far as they get without an engine."""

from pathlib import Path

import pytest

from pratique.cli import run
from pratique.model import Container, ImageId
from pratique.store import Store

ID = "ab" * 32


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host whose engine is away and on which no agent runs, with one container known."""
    monkeypatch.setenv("PRATIQUE_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("PRATIQUE_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("PRATIQUE_DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with Store.open(tmp_path / "pratique.db") as store:
        store.put_container(Container(ID, "ledger", ImageId("sha256:1")), "", admitted=True, at=1.0)
    return tmp_path


def test_quarantine_can_be_asked_for_while_engine_and_agent_are_away(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["quarantine", "ledger", "--reason", "odd"]) == 0
    assert "it begins with the next 'pratique up'" in capsys.readouterr().out
    with Store.open(state / "pratique.db") as store:
        assert [(one.container, one.reason) for one in store.quarantines.all()] == [(ID, "odd")]
        assert [record.decision.rule for record in store.decisions()] == ["quarantine.asked"]
    assert run(["quarantine", "--list"]) == 0
    assert "odd" in capsys.readouterr().out
    assert run(["release", ID[:12]]) == 0
    assert run(["release", "ledger"]) == 1
    assert "is not in quarantine" in capsys.readouterr().err


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["quarantine"], "which container?"),
        (["quarantine", "nobody"], "no container 'nobody' is known"),
        (["replace"], "give one of --cve, --image, --continue, --undo"),
        (["replace", "--cve", "CVE-1", "--image", "x"], "give one of"),
        (["replace", "--cve", "CVE-1", "--plan", "--apply"], "they exclude each other"),
        (["replace", "--continue", "nope"], "there is no plan 'nope'"),
        (["replace", "--cve", "CVE-1"], "the engine cannot be reached"),
        (["capture", "ledger"], "the engine cannot be reached"),
    ],
)
def test_what_cannot_be_is_told(
    arguments: list[str],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 1
    assert complaint in capsys.readouterr().err
