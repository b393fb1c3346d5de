"""A writer is killed over and over; nothing that it was told is on disk may be missing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from pratique.store import Store

ROUNDS = 25
WRITER = """
import sys
from pathlib import Path
from pratique.model import Decision, Direction, Flow, FlowVerdict, Protocol, Verdict
from pratique.store import Store

with Store.open(Path(sys.argv[1])) as store:
    number = store.verify_decisions().count
    while True:
        batch = [Decision(float(number + i), Verdict.DENY, "r", f"s{number + i}") for i in range(1, 4)]
        store.append_decisions(batch)
        number += 3
        peer = Flow("c", "i", Direction.EGRESS, Protocol.TCP, "10.0.0.1", number, FlowVerdict.ALLOWED, 1, 1, 0.0, 0.0)
        store.add_flows([peer])
        print(number, flush=True)
"""

CREATOR = """
import sys
from pathlib import Path
from pratique.store import Store

print(flush=True)
Store.open(Path(sys.argv[1]))
"""


def kill_a_writer(path: Path, after_lines: int) -> int:
    """Run a writer, kill it after some acknowledgements, return the last number that it acknowledged."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stderr is not None
    last = 0
    for line in writer.stdout:
        last = int(line)
        after_lines -= 1
        if after_lines == 0:
            os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    assert writer.returncode == -signal.SIGKILL, writer.stderr.read()
    writer.stdout.close()
    writer.stderr.close()
    return last


def test_killed_writer_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "pratique.db"
    for turn in range(ROUNDS):
        acknowledged = kill_a_writer(path, after_lines=1 + turn % 7)
        with Store.open(path, read_only=True) as store:
            check = store.verify_decisions()
            assert check.broken == 0, check.reason
            assert check.count >= acknowledged
            assert check.count % 3 == 0, "a batch was torn"
            assert acknowledged in {record.flow.port for record in store.flows()}


def test_writer_killed_while_it_makes_the_schema_leaves_a_store_that_opens(tmp_path: Path) -> None:
    for turn in range(8):
        path = tmp_path / str(turn) / "pratique.db"
        process = subprocess.Popen([sys.executable, "-c", CREATOR, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(turn * 0.03)
        process.kill()
        process.wait()
        process.stdout.close()
        with Store.open(path) as store:
            store.set_state("a", "b")
            assert store.verify_decisions().broken == 0
