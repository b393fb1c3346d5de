from pathlib import Path

import pytest

from pratique.config import Options, load
from pratique.errors import UsageError


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Options.__struct_fields__:
        monkeypatch.delenv(f"PRATIQUE_{name.upper()}", raising=False)
    monkeypatch.delenv("DOCKER_HOST", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pratique.yaml"
    path.write_text("state_dir: /from/file\nrun_dir: /from/file\nplugin_name: from-file\n")
    return path


def test_defaults_hold_where_nothing_is_said(tmp_path: Path) -> None:
    assert load(file=tmp_path / "missing") == Options()


def test_flags_beat_environment_beats_file_beats_defaults(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRATIQUE_STATE_DIR", "/from/environment")
    monkeypatch.setenv("PRATIQUE_RUN_DIR", "/from/environment")
    options = load({"state_dir": "/from/flag", "run_dir": None}, file=file)
    assert options.state_dir == "/from/flag"
    assert options.run_dir == "/from/environment"
    assert options.plugin_name == "from-file"
    assert options.pin_dir == Options().pin_dir


def test_empty_variable_says_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRATIQUE_STATE_DIR", "")
    assert load(file=file).state_dir == "/from/file"


def test_own_variable_beats_the_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///a")
    assert load(file=tmp_path / "missing").docker_host == "unix:///a"
    monkeypatch.setenv("PRATIQUE_DOCKER_HOST", "unix:///b")
    assert load(file=tmp_path / "missing").docker_host == "unix:///b"


def test_numbers_come_from_the_environment_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRATIQUE_RETENTION_DAYS", "7")
    assert load(file=tmp_path / "missing").retention_days == 7
    for wrong in ("seven", "0", "-1", "1.5"):
        monkeypatch.setenv("PRATIQUE_RETENTION_DAYS", wrong)
        with pytest.raises(UsageError):
            load(file=tmp_path / "missing")


def test_paths_follow_the_state_directory() -> None:
    options = Options(state_dir="/s", plugin_dir="/p", plugin_name="n")
    assert options.store_path == Path("/s/pratique.db")
    assert options.policy_path == Path("/s/policy.yaml")
    assert options.plugin_socket == Path("/p/n.sock")


@pytest.mark.parametrize(
    "text",
    [
        "state_dri: /typo\n",
        "state_dir: 5\n",
        "- a\n",
        "a: [\n",
        "\x00",
        "x: " + "[" * 100_000,
        "run_dir: a\nrun_dir: b\n",
    ],
)
def test_bad_file_is_one_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pratique.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match="cannot be used") as caught:
        load(file=path)
    assert str(path) in caught.value.what
    assert "\n" not in caught.value.what


def test_unreadable_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load(file=tmp_path)


def test_every_option_is_documented() -> None:
    text = Path("docs/configuration.md").read_text()
    assert [name for name in Options.__struct_fields__ if f"`{name}`" not in text] == []
