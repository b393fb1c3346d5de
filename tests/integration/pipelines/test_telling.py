"""An agent on a real engine tells: a refused build reaches a web hook, syslog and the counters."""

import asyncio
import contextlib
import io
import urllib.request
from pathlib import Path

import docker
import pytest

from pratique.cli.agent import settings_from
from pratique.config import load
from pratique.pipelines.watch import protect
from pratique.policy import Document, render
from testbed.engine import ThrowAwayEngine
from tests.integration.exporters.receivers import Hook, unix_syslog
from tests.unit.pipelines.listener import Listener

PATIENCE_S = 90.0


def build(engine: ThrowAwayEngine) -> None:
    client: docker.DockerClient = engine.client()
    with contextlib.suppress(docker.errors.DockerException), contextlib.closing(client):
        client.images.build(fileobj=io.BytesIO(b"FROM scratch"))


def test_refused_build_is_told_everywhere(engine: ThrowAwayEngine, tmp_path: Path) -> None:
    flags = {key.removeprefix("PRATIQUE_").lower(): value for key, value in engine.options(tmp_path).items()}
    document = tmp_path / "notify.yaml"
    flags |= {"metrics": "127.0.0.1:0", "notify": str(document), "console": "off"}
    settings = settings_from(load(flags), install_guard=True, keep=False, start_engine=False)
    settings.policy_path.parent.mkdir(parents=True)
    settings.policy_path.write_text(render(Document()))
    listener, stop = Listener(), asyncio.Event()
    metrics = ""

    async def attack(hook: Hook) -> None:
        nonlocal metrics
        async with asyncio.timeout(PATIENCE_S):
            told = {"protecting; Ctrl-C ends it", "telling of alerts: ops, log"}
            while not told <= set(listener.said):  # noqa: ASYNC110  # what is said sets no event
                await asyncio.sleep(0.05)
            while not hook.messages:
                await asyncio.to_thread(build, engine)  # again and again: a new target begins with the next alert
                await asyncio.sleep(0.2)
        url = next(said for said in listener.said if said.startswith("metrics: ")).removeprefix("metrics: ")
        metrics = (await asyncio.to_thread(lambda: urllib.request.urlopen(url).read())).decode()

    async def run(hook: Hook) -> None:
        async with asyncio.TaskGroup() as tasks:
            agent = tasks.create_task(protect(settings, listener, stop))
            try:
                await attack(hook)
            finally:
                stop.set()
            await agent

    with Hook() as hook, unix_syslog(tmp_path) as (url, receiver):
        targets = (
            f'targets: [{{name: ops, url: "{hook.url}", at_least: low}}, {{name: log, url: "{url}", at_least: low}}]'
        )
        document.touch(mode=0o600)
        document.write_text(targets)
        asyncio.run(run(hook))
        line = receiver.recv(9000).decode()
    assert "build" in hook.messages[0]["message"]
    assert 'action="refused"' in line
    assert 'pratique_decisions_total{rule="build.' in metrics
    assert "pratique_up 1.0" in metrics
    assert listener.warned == []


@pytest.mark.parametrize("metrics", ["9470", "localhost:9470"])
def test_metrics_at_no_address_keep_the_agent_from_starting(
    metrics: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pratique.cli import run

    monkeypatch.setenv("PRATIQUE_METRICS", metrics)
    assert run(["agent"]) == 1
    assert "is not an address and port" in capsys.readouterr().err
