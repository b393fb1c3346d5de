import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from pratique import __version__
from pratique.cli import COMMANDS, run
from pratique.cli.output import replace_file
from pratique.errors import GateError, ImageError, IncompleteError

HEAVY = {
    "aiodocker",
    "aiohttp",
    "alembic",
    "asyncio",
    "cryptography",
    "http.client",
    "httpx2",
    "hyperscan",
    "rich",
    "sqlalchemy",
    "ssl",
    "structlog",
    "yaml",
    "yara_x",
}


def imported_by(*arguments: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pratique", *arguments], capture_output=True, text=True, check=True
    )
    return {line.rsplit("|", 1)[-1].strip() for line in result.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_entry_of_the_table_is_a_command_in_a_file_of_that_name(name: str) -> None:
    module, summary = COMMANDS[name]
    assert module == f"pratique.cli.{name}"
    assert isinstance(import_module(module).command, click.Command)
    assert summary.endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_subcommand_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert f"pratique {name}" in capsys.readouterr().out
    command = import_module(COMMANDS[name][0]).command
    for parameter in command.params:
        assert parameter.param_type_name == "argument" or parameter.help, f"{name} {parameter.name}"
    for subcommand in getattr(command, "commands", {}).values():
        assert subcommand.help, f"{name} {subcommand.name}"


def test_help_lists_every_command_and_imports_nothing_heavy(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"\n  {name}" in told for name in COMMANDS)
    for arguments in (["--help"], ["--version"]):
        assert imported_by(*arguments) & HEAVY == set()


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["nonsense"], ["alerts", "--nonsense"], ["policy", "nonsense"], ["scan"]])
def test_wrong_usage_exits_with_1_since_2_means_that_the_gate_said_no(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 1
    assert "Usage:" in capsys.readouterr().err


@pytest.mark.parametrize(("error", "code"), [(GateError("no", hint="do this"), 2), (IncompleteError("half"), 3)])
def test_errors_are_two_lines_and_an_exit_code(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("pratique.cli.alerts.command", click.command("alerts")(fail))
    assert run(["alerts"]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[0] == f"pratique: {error}"
    assert "Traceback" not in told.err


def test_error_steers_no_terminal_and_ends(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ImageError("\x1b[31mred\n\u202e\udcff " + "x" * 10_000, hint="\x9b2J")

    monkeypatch.setattr("pratique.cli.alerts.command", click.command("alerts")(fail))
    assert run(["alerts"]) == 1
    what, hint = capsys.readouterr().err.splitlines()
    assert what.startswith(r"pratique: \x1b[31mred\n\u202e\xff xxx")
    assert len(what) < 1000
    assert hint == r"hint: \x9b2J"


def test_output_never_replaces_a_device_or_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    replace_file(link, b"new")
    assert (link.is_symlink(), target.read_bytes()) == (True, b"new")
    replace_file(Path("/dev/null"), b"gone")
    assert Path("/dev/null").is_char_device()


def test_path_that_the_host_refuses_is_one_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["alerts", "--state-dir", "x" * 5000]) == 1
    what, hint = capsys.readouterr().err.splitlines()
    assert what.startswith("pratique: ")
    assert hint.startswith("hint: ")


def test_reader_that_has_enough_is_no_error() -> None:
    script = f"set -o pipefail; {sys.executable} -m pratique policy init | true"
    for _ in range(3):
        told = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        assert told.stderr == ""
