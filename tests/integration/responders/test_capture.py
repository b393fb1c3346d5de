"""``pratique capture`` of a container of a real engine."""

import asyncio
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import docker
import pytest

from pratique.errors import UsageError
from pratique.pipelines.capture import Captured, capture
from pratique.runtime import Engine
from pratique.store import Store
from testbed.engine import ThrowAwayEngine
from tests.integration.sensor.watched import wait_until

SCRIPT = (
    "mkdir /dropped; ln -s /etc/shadow /dropped/link; rm /etc/passwd; echo payload > /dropped/tool; exec sleep 1000"
)


def captured(engine: ThrowAwayEngine, container_id: str, folder: Path, *, pause: bool) -> Captured:
    async def work() -> Captured:
        with Store.open(folder / "store.db") as store:
            async with Engine.connect(engine.url) as client:
                container = await client.container(container_id)
                assert container is not None
                path = folder / "evidence.tar.gz"
                done = await capture(client, store, container, path, source="user test", pause=pause)
                logged = store.decisions()[-1].decision
                assert (logged.rule, done.sha256 in logged.reason) == ("capture.written", True)
                return done

    return asyncio.run(work())


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]


@pytest.mark.parametrize("pause", [False, True])
def test_running_container_is_taken_whole(
    engine: ThrowAwayEngine, client: docker.DockerClient, tmp_path: Path, pause: bool
) -> None:
    container = client.containers.run(
        "alpine-like/base:1", ["sh", "-c", SCRIPT], detach=True, environment={"TOKEN": "top-secret"}
    )
    wait_until(lambda: "tool" in str(container.exec_run(["ls", "/dropped"]).output), "what the container writes")
    assert container.id is not None
    done = captured(engine, container.id, tmp_path, pause=pause)
    taken = members(done.path)
    processes = json.loads(taken["processes.json"])
    assert any("sleep" in " ".join(process["arguments"]) for process in processes)
    assert all("TOKEN" in process["environment"] for process in processes)
    assert b"top-secret" not in b"".join(taken.values())
    assert taken["files/dropped/tool"] == b"payload\n"
    changes: dict[str, dict[str, Any]] = {change["path"]: change for change in json.loads(taken["changes.json"])}
    assert changes["/dropped/link"]["target"] == "/etc/shadow"
    assert changes["/etc/passwd"]["kind"] == "removed"
    assert f"maps/{processes[0]['pid']}" in taken
    assert b"local_address" in taken["sockets/1/tcp"]
    container.reload()
    assert container.status == "running"


def test_stopped_container_still_tells_what_it_wrote(
    engine: ThrowAwayEngine, client: docker.DockerClient, tmp_path: Path
) -> None:
    container = client.containers.run("alpine-like/base:1", ["sh", "-c", "echo left > /left"], detach=True)
    container.wait()
    assert container.id is not None
    done = captured(engine, container.id, tmp_path, pause=True)
    assert members(done.path)["files/left"] == b"left\n"
    assert "no process of the container was running" in done.notes


def test_capture_onto_a_full_disk_is_an_error_and_leaves_nothing(
    engine: ThrowAwayEngine, client: docker.DockerClient, tmp_path: Path
) -> None:
    script = "busybox dd if=/dev/urandom of=/big bs=1M count=4 2>/dev/null"
    container = client.containers.run("alpine-like/base:1", ["sh", "-c", script], detach=True)
    container.wait()
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)

    async def work() -> None:
        with Store.open(tmp_path / "store.db") as store:
            async with Engine.connect(engine.url) as engine_client:
                known = await engine_client.container(str(container.id))
                assert known is not None
                await capture(engine_client, store, known, disk / "evidence.tar.gz", source="user test")

    try:
        with pytest.raises(UsageError, match="No space left"):
            asyncio.run(work())
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)
