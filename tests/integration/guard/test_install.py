"""The guard comes and goes, and the engine's configuration is as it was."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pratique.cli import run
from pratique.errors import EngineError, HostError, InputError
from pratique.guard.daemon_json import with_plugin
from pratique.guard.install import Status, Target, engine_pid, install, status, uninstall
from testbed.engine import ThrowAwayEngine
from tests.integration.guard.guarded import Guarded, post


@pytest.fixture(scope="module")
def engine(root: None) -> Iterator[ThrowAwayEngine]:
    """An engine whose configuration file tests may change."""
    del root
    with ThrowAwayEngine(daemon_json={"debug": False}) as engine:
        yield engine


@pytest.fixture
def guarded(engine: ThrowAwayEngine) -> Iterator[Guarded]:
    """A guard that answers, in front of nothing yet."""
    with Guarded(engine) as guarded:
        yield guarded
        uninstall(guarded.target)


def _asked(guarded: Guarded) -> bool:
    return post(guarded.engine.socket, "/v1.41/swarm/init", {"ListenAddr": "x"})[0] == 403


@pytest.mark.parametrize(
    "text",
    [
        '{"debug": false}',
        '{\n\t"debug":   false,\n\t"labels": ["a=b"]\n}',
        "{}\n",
        '{ "authorization-plugins" : [ ] , "debug":false }\r\n',
        '{"labels":["\u00fc=\\u00fc"]}',
    ],
)
def test_the_configuration_comes_back_byte_for_byte(guarded: Guarded, text: str) -> None:
    file = guarded.engine.daemon_json
    file.write_text(text, newline="")
    file.chmod(0o640)
    os.chown(file, 4321, 1234)
    install(guarded.target)
    assert _asked(guarded)
    assert guarded.engine.plugin_name in json.loads(file.read_text())["authorization-plugins"]
    uninstall(guarded.target)
    assert not _asked(guarded)
    told = file.stat()
    assert file.read_bytes() == text.encode()
    assert (told.st_mode & 0o777, told.st_uid, told.st_gid) == (0o640, 4321, 1234)
    assert [path.name for path in file.parent.glob("*daemon*")] == ["daemon.json"]


def test_installing_and_uninstalling_twice_is_as_once(guarded: Guarded) -> None:
    before = guarded.engine.daemon_json.read_bytes()
    install(guarded.target)
    install(guarded.target)
    uninstall(guarded.target)
    uninstall(guarded.target)
    assert guarded.engine.daemon_json.read_bytes() == before


def test_what_somebody_changed_in_between_stays(guarded: Guarded) -> None:
    file = guarded.engine.daemon_json
    file.write_text('{"debug": false}')
    install(guarded.target)
    file.write_text(file.read_text().replace("false", "true"))
    uninstall(guarded.target)
    assert file.read_text() == '{"debug": true}'
    assert not _asked(guarded)


def test_a_file_that_is_gone_in_between_comes_back(guarded: Guarded) -> None:
    """An engine that was told of the file by its command line reads nothing anew without it."""
    file = guarded.engine.daemon_json
    file.write_text('{"debug": false}')
    install(guarded.target)
    file.unlink()
    uninstall(guarded.target)
    assert file.read_text() == '{"debug": false}'
    assert not _asked(guarded)


def test_a_symbolic_link_stays_one(guarded: Guarded, tmp_path: Path) -> None:
    file = guarded.engine.daemon_json
    real = tmp_path / "real.json"
    file.rename(real)
    file.symlink_to(real)
    before = real.read_bytes()
    install(guarded.target)
    assert file.is_symlink()
    uninstall(guarded.target)
    assert file.is_symlink()
    assert real.read_bytes() == before
    file.unlink()
    real.rename(file)


@pytest.mark.parametrize("text", ["{", "[]", '{"authorization-plugins": "x"}', "\xff", '{"a":1}{'])
def test_an_invalid_configuration_is_an_error_and_left_alone(guarded: Guarded, text: str) -> None:
    file = guarded.engine.daemon_json
    before = file.read_bytes()
    file.write_bytes(text.encode("latin-1"))
    try:
        with pytest.raises(InputError, match=r"daemon\.json"):
            install(guarded.target)
        assert file.read_bytes() == text.encode("latin-1")
        assert not _asked(guarded)
    finally:
        file.write_bytes(before)


def test_nothing_is_installed_while_no_guard_answers(engine: ThrowAwayEngine) -> None:
    before = engine.daemon_json.read_bytes()
    with pytest.raises(HostError, match="no guard answers"):
        install(Guarded(engine).target)
    assert engine.daemon_json.read_bytes() == before
    assert engine.answers()


def test_another_configuration_file_than_the_engines_is_not_edited(guarded: Guarded, tmp_path: Path) -> None:
    target = guarded.target
    other = Target(tmp_path / "daemon.json", target.docker_host, target.plugin_name, target.plugin_socket)
    with pytest.raises(HostError, match="the engine reads"):
        install(other)
    assert not other.daemon_json.exists()


class _ByCommandLine(ThrowAwayEngine):
    def _arguments(self) -> list[str]:
        return [*super()._arguments(), f"--authorization-plugin={self.plugin_name}"]


def test_an_engine_with_plugins_on_its_command_line_is_left_alone(root: None) -> None:
    del root
    engine = _ByCommandLine()
    with Guarded(engine) as guarded, engine:
        with pytest.raises(HostError, match="command line"):
            install(guarded.target)
        assert _asked(guarded)


def test_a_file_that_was_not_there_before_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "docker" / "daemon.json"
    file.parent.mkdir()
    file.write_text(with_plugin(None, "p"))
    uninstall(Target(file, f"unix://{tmp_path}/none.sock", "p", tmp_path / "p.sock"))
    assert not file.exists()


def test_uninstalling_works_without_engine_and_guard(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    file.write_text('{"authorization-plugins": ["opa", "p"]}')
    uninstall(Target(file, f"unix://{tmp_path}/none.sock", "p", tmp_path / "p.sock"))
    assert json.loads(file.read_text()) == {"authorization-plugins": ["opa"]}


def test_the_engine_is_found_behind_its_socket(engine: ThrowAwayEngine, tmp_path: Path) -> None:
    assert engine_pid(engine.url) == engine.pid
    with pytest.raises(EngineError, match="no dockerd"):
        engine_pid(f"unix://{tmp_path}/none.sock")


def test_the_commands_tell_what_holds(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, value in guarded.engine.options(tmp_path).items():
        monkeypatch.setenv(name, value)
    told = status(guarded.target)
    assert (told.answers, told.configured, told.asked) == (True, False, False)
    assert told.engine_version[:1].isdigit()
    assert run(["guard", "status"]) == 2
    assert run(["guard", "install"]) == 0
    assert run(["guard", "status"]) == 0
    assert capsys.readouterr().out.count("yes ") == 4
    assert run(["guard", "uninstall"]) == 0
    assert run(["guard", "status"]) == 2


@pytest.mark.parametrize(("version", "blind"), [("29.2.0", True), ("30.0", True), ("29.1.9", False), ("", False)])
def test_engines_that_let_builds_past_the_guard_are_known(version: str, blind: bool) -> None:
    assert Status(answers=True, configured=True, asked=True, engine_version=version).blind_to_builds is blind
