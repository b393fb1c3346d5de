"""What /proc tells of a hostile process is bounded."""

import subprocess
import sys

from pratique.responders import processes

WAITS = "import sys; print(flush=True); sys.stdin.read()"


def test_words_of_a_process_are_bounded() -> None:
    command = [sys.executable, "-c", WAITS, *(str(n) for n in range(3000))]
    environment = {f"N{n}": "" for n in range(3000)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        told = processes.read_process(child.pid)
        child.communicate()
    assert told is not None
    assert (len(told.arguments), len(told.environment)) == (256, 256)
    assert told.arguments[:3] == tuple(command[:3])
    assert told.environment[0] == "N0"


def test_process_that_is_gone_is_none() -> None:
    with subprocess.Popen(["true"]) as child:
        pass
    assert processes.read_process(child.pid) is None
