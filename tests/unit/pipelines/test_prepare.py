"""What must be settled before protection begins."""

import os
from pathlib import Path

import pytest

from pratique.errors import HostError, UsageError
from pratique.pipelines.prepare import only_agent, privileged
from pratique.pipelines.presence import LOCK_NAME, agent_runs


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HostError, match="takes root"):
        privileged()


def test_second_agent_is_told_of_the_first(tmp_path: Path) -> None:
    with only_agent(tmp_path / "run"):
        assert agent_runs(tmp_path / "run")
        with pytest.raises(UsageError, match="another agent runs"), only_agent(tmp_path / "run"):
            pass
    assert not agent_runs(tmp_path / "run")


def test_lock_that_cannot_be_made_is_one_error_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / LOCK_NAME).symlink_to("/etc/hostname")
    for run_dir in (tmp_path / "file", tmp_path):
        with pytest.raises(HostError, match="lock") as error, only_agent(run_dir):
            pass
        assert "PRATIQUE_RUN_DIR" in error.value.hint
