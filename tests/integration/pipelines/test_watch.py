import asyncio
from pathlib import Path

import pytest

from pratique.cli.agent import settings_from
from pratique.config import load
from pratique.guard.install import Target, uninstall
from pratique.pipelines.account import Status
from pratique.pipelines.watch import protect
from pratique.sensor.live import remove_pins
from testbed.engine import ThrowAwayEngine
from tests.unit.pipelines.listener import Listener


class FailsOnTheWay(Listener):
    """Stands for a mistake in the agent that shows only while it protects."""

    def status(self, status: Status) -> None:
        del status
        msg = "a mistake"
        raise RuntimeError(msg)


def test_an_agent_that_fails_on_the_way_leaves_guard_and_enforcement_in_place(
    engine: ThrowAwayEngine, tmp_path: Path
) -> None:
    flags = {key.removeprefix("PRATIQUE_").lower(): value for key, value in engine.options(tmp_path).items()}
    options = load(flags)
    settings = settings_from(options, install_guard=True, keep=False, start_engine=False)
    listener = FailsOnTheWay()
    try:
        with pytest.raises(ExceptionGroup):
            asyncio.run(protect(settings, listener, asyncio.Event()))
        assert any("protecting" in said for said in listener.said)
        assert engine.plugin_name in engine.daemon_json.read_text()
        assert list(engine.pin_dir.iterdir())
        assert any("refuses every request until Pratique runs again" in warning for warning in listener.warned)
    finally:
        uninstall(Target(settings.daemon_json, settings.docker_host, settings.plugin_name, settings.plugin_socket))
        remove_pins(engine.pin_dir)
    client = engine.client()
    assert client.ping()
    client.close()
