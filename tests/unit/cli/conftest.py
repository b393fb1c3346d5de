"""A host of our own: a state directory, a run directory, and a store with a little of everything."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pratique.cli import run
from pratique.model import DriftMode, EgressMode
from pratique.store import Store
from tests.unit.store.values import CHECKOUT, CONTAINER, REDIS, alert, decision, finding, flow, report

__all__ = ["CHECKOUT", "CONTAINER", "REDIS", "DriftMode", "EgressMode"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("PRATIQUE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PRATIQUE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("PRATIQUE_RUN_DIR", str(tmp_path / "run"))
    return tmp_path


@pytest.fixture
def store(host: Path) -> Iterator[Store]:
    with Store.open(host / "state" / "pratique.db") as store:
        store.put_report(report(finding(), at=100.0))
        store.put_image(REDIS, 100.0)
        store.put_container(CONTAINER, "shop/checkout", True, 100.0)
        store.add_flows([flow(), flow("203.0.113.7", 443, image=REDIS.id)])
        store.add_alerts([alert(), alert("other", at=200.0, image=REDIS.id)])
        store.append_decisions([decision(1), decision(2, at=200.0, image=CHECKOUT.id)])
        yield store


@pytest.fixture
def pratique(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(list(arguments))
        told = capsys.readouterr()
        return code, told.out, told.err

    return call
