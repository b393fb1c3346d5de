"""What a running agent tells, and that it goes on when nobody reads it any more."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from pratique.cli.up import ScreenAccount
from pratique.model import Verdict
from tests.unit.store import values

PROGRAM = """
import os
from pratique.cli.agent import JournalAccount
from pratique.cli.up import ScreenAccount
account = {account}()
for _ in range(3):
    account.say("something")
    account.warn("something else", "a hint")
os.write({told}, b"goes on")
"""


@pytest.mark.parametrize("account", ["ScreenAccount", "JournalAccount"])
@pytest.mark.parametrize("reader", ["gone", "full"])
def test_agent_goes_on_when_what_it_says_cannot_be_written(account: str, reader: str) -> None:
    if reader == "full":
        nowhere = os.open("/dev/full", os.O_WRONLY)
    else:
        end, nowhere = os.pipe()
        os.close(end)
    told, other = os.pipe()
    program = PROGRAM.format(account=account, told=other)
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=nowhere, stderr=nowhere, pass_fds=[other], check=False
    )
    os.close(other)
    os.close(nowhere)
    assert os.read(told, 100) == b"goes on"
    os.close(told)
    assert done.returncode == 0


LOG = """
from pratique.cli.agent import JournalAccount
from tests.unit.store.values import alert, decision, report
account = JournalAccount()
account.say("protecting")
account.warn("the engine is away", "wait")
account.scanned(report(), "malware")
account.decided(decision())
account.alerted(alert())
"""


def test_journal_is_one_object_a_line_as_the_documents_say() -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", LOG], capture_output=True, text=True, check=True, cwd=root)
    lines = {line["kind"]: line for line in map(json.loads, done.stderr.splitlines())}
    assert list(lines) == ["step", "warning", "scan", "decision", "alert"]
    documented = (root / "docs" / "notify.md").read_text()
    for kind, line in lines.items():
        assert {"event", "level", "timestamp"} <= set(line)
        row = next(row for row in documented.splitlines() if row.startswith(f"| `{kind}` "))
        for key in set(line) - {"kind", "event", "level", "timestamp"}:
            assert f"`{key}`" in row or key.startswith("evidence_"), (kind, key)
    assert lines["alert"]["evidence_address"] == "1.2.3.4"


def test_what_strangers_wrote_does_nothing_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b[2J\x1b]0;owned\x07\n12:00:00 \u00b7 protecting\u202e"
    account = ScreenAccount()
    account.say(hostile)
    account.warn(hostile, hostile)
    account.decided(replace(values.decision(), verdict=Verdict.DENY, subject=hostile, reason=hostile))
    account.alerted(replace(values.alert(), title=hostile, image_name=hostile, evidence={"file": hostile}))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)
