"""The doctor on this very host, with an engine of its own and without one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker
import pytest

from pratique.cli import run
from testbed.engine import ThrowAwayEngine


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(capsys.readouterr().out)}


def test_doctor_tells_what_the_engine_and_its_containers_leave_open(
    engine: ThrowAwayEngine,
    client: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in engine.options().items():
        monkeypatch.setenv(name, value)
    client.containers.run(
        "shop/redis:1",
        name="open",
        detach=True,
        security_opt=["seccomp=unconfined"],
        volumes={str(engine.folder): {"bind": "/engine", "mode": "rw"}},
    )
    client.containers.run("shop/redis:1", name="closed", detach=True, cap_drop=["NET_RAW"])
    assert run(["doctor", "-f", "json"]) == 0
    checks = told(capsys)
    for feature in ("egress", "process", "packet-socket", "packet-link", "opened"):
        assert checks[f"feature {feature}"]["status"] == "ok", checks[f"feature {feature}"]
    assert client.version()["Version"] in checks["engine"]["found"]
    assert checks["storage driver"]["found"] == client.info()["Driver"]
    assert checks["guard"]["status"] == "warn"
    for name in ("engine socket", "raw sockets", "confinement"):
        assert checks[name]["status"] == "warn"
        assert checks[name]["found"].endswith(": open")
    for name in ("privileged", "host namespaces", "cgroups of containers"):
        assert checks[name]["status"] == "ok", checks[name]
    assert str(engine.socket) in checks["docker.sock"]["found"]
    monkeypatch.setenv("PRATIQUE_CGROUP_PARENT", "/elsewhere")
    assert run(["doctor", "-f", "json"]) == 0
    assert "closed in" in told(capsys)["cgroups of containers"]["found"]


def test_doctor_leaves_nothing_behind(root: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del root
    monkeypatch.setenv("PRATIQUE_DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    before = {path.name for path in Path("/sys/fs/bpf").iterdir() if path.name.startswith("pratique-doctor")}
    assert run(["doctor"]) == 1
    after = {path.name for path in Path("/sys/fs/bpf").iterdir() if path.name.startswith("pratique-doctor")}
    assert after <= before
    assert not list(Path("/sys/fs/cgroup").glob("**/pratique-doctor-*"))


def test_doctor_without_an_engine_says_what_is_missing(
    root: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del root
    monkeypatch.setenv("PRATIQUE_DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert run(["doctor"]) == 1
    output = capsys.readouterr()
    assert "fail  engine" in output.out
    assert output.err.splitlines()[0] == "pratique: this host cannot be protected yet: engine"


def test_doctor_works_for_any_user(root: None, tmp_path: Path) -> None:
    del root
    code = "from pratique.cli import main; main(['doctor'])"
    reads = "+dac_read_search"  # this code, wherever it lies: root's home is closed to others
    drop = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    drop += ["--inh-caps", reads, "--ambient-caps", reads]
    done = subprocess.run(
        [*drop, sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PRATIQUE_DOCKER_HOST": f"unix://{tmp_path}/none.sock"},
    )
    assert done.returncode == 1
    assert "fail  privileges" in done.stdout
    assert "Traceback" not in done.stderr
    assert "cannot be protected yet: privileges, engine" in done.stderr
