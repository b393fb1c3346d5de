"""What installing refuses before anything is changed, where no real engine of that kind is at hand."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pratique.errors import HostError, InputError
from pratique.guard.install import Target, _validate, install


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    """A plugin that answers, but where no engine looks for it."""
    path = tmp_path / "pratique.sock"
    with socket.socket(socket.AF_UNIX) as plugin:
        plugin.bind(str(path))
        plugin.listen()
        yield Target(tmp_path / "daemon.json", f"unix://{tmp_path}/docker.sock", "pratique", path)


def test_a_plugin_where_the_engine_does_not_look_is_not_installed(target: Target) -> None:
    with pytest.raises(HostError, match="would not find the plugin"):
        install(target)
    assert not target.daemon_json.exists()


def _dockerd(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "dockerd"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_an_engine_that_can_validates_the_new_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = """case "$1" in
    --help) echo "  --validate" ;;
    *) if grep -q bad "$3"; then echo "bad key" >&2; exit 1; fi ;;
    esac"""
    _dockerd(tmp_path, script, monkeypatch)
    _validate(os.getpid(), tmp_path / "daemon.json", '{"good": true}')
    with pytest.raises(InputError, match="bad key"):
        _validate(os.getpid(), tmp_path / "daemon.json", '{"bad": true}')


def test_an_older_engine_is_not_asked_to_validate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _dockerd(tmp_path, '[ "$1" = --help ] || exit 1', monkeypatch)
    _validate(os.getpid(), tmp_path / "daemon.json", "{}")
