"""`pratique notify`: who is told, whether that works, and no secret on the screen."""

from pathlib import Path

import pytest

from pratique.store import Store
from tests.integration.exporters.receivers import Hook, unix_syslog
from tests.unit.cli.conftest import Run
from tests.unit.store.values import alert


@pytest.fixture
def document(host: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = host / "notify.yaml"
    monkeypatch.setenv("PRATIQUE_NOTIFY", str(path))
    return path


def test_nobody_is_told_until_somebody_is_named(document: Path, pratique: Run) -> None:
    code, out, err = pratique("notify", "list")
    assert (code, out) == (1, "")
    assert f"nobody is told: {document} lists no targets" in err


def test_targets_are_listed_without_their_urls(document: Path, store: Store, pratique: Run) -> None:
    document.write_text(
        'targets: [{name: ops, url: "json://user:pass-word@host/x"}, {name: log, url: "syslog+udp://h"}]'
    )
    store.outbox.set_told("ops", 1)
    store.add_alerts([alert(f"more {number}") for number in range(3)])
    code, out, _ = pratique("notify", "list")
    assert code == 0
    ops, log = (line.split() for line in out.splitlines()[1:])
    assert ops == ["ops", "json://…", "high", "*", "4"]
    assert log == ["log", "syslog+udp://…", "high", "*", "new"]
    assert "pass-word" not in out


def test_each_target_is_tried(document: Path, tmp_path: Path, pratique: Run) -> None:
    with Hook() as hook, unix_syslog(tmp_path) as (url, receiver):
        document.write_text(f'targets: [{{name: ops, url: "{hook.url}"}}, {{name: log, url: "{url}"}}]')
        code, out, err = pratique("notify", "test")
        assert (code, err) == (0, "")
        assert out == "ops (json://…): sent\nlog (syslog+unix://…): sent\n"
        assert hook.messages[0]["title"].endswith(": a test")
        assert b"This is a test from Pratique" in receiver.recv(9000)
        assert pratique("notify", "test", "log")[0] == 0
        assert len(hook.messages) == 1


def test_target_that_takes_nothing_is_an_error(document: Path, pratique: Run) -> None:
    with Hook() as hook:
        hook.refuse = True
        document.write_text(f'targets: [{{name: ops, url: "{hook.url}"}}]')
        code, out, err = pratique("notify", "test")
    assert (code, out) == (1, "")
    assert "1 of 1 targets did not take the message: ops" in err
    assert "pass-word" not in err
    assert "token-1234" not in err


def test_unknown_name_is_refused(document: Path, pratique: Run) -> None:
    document.write_text('targets: [{name: ops, url: "json://x"}]')
    code, _, err = pratique("notify", "test", "opps")
    assert code == 1
    assert "has no target 'opps'" in err
    assert "there are ops" in err
