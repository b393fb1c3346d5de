"""Agent and command line open one store at the same time."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pratique.model import Decision, Verdict
from pratique.store import Store

PROCESSES = 6
EACH = 20
WRITER = f"""
import sys
from pathlib import Path
from pratique.model import Decision, Verdict
from pratique.store import Store

where = sys.argv[1]
with Store.open(where if "://" in where else Path(where)) as store:
    for number in range({EACH}):
        store.append_decisions([Decision(float(number), Verdict.ALLOW, "r", sys.argv[2])])
"""


def test_processes_that_open_a_new_store_at_once_make_one_schema_and_one_chain(place: Path | str) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(place), str(number)], stderr=subprocess.PIPE, text=True)
        for number in range(PROCESSES)
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors
    with Store.open(place, read_only=True) as store:
        check = store.verify_decisions()
        assert (check.count, check.broken) == (PROCESSES * EACH, 0)


def test_threads_share_one_store(place: Path | str) -> None:
    with Store.open(place) as store:

        def work(number: int) -> int:
            for _ in range(EACH):
                store.append_decisions([Decision(0.0, Verdict.ALLOW, "r", str(number))])
            return len(store.decisions())

        with ThreadPoolExecutor(PROCESSES) as pool:
            assert all(count >= EACH for count in pool.map(work, range(PROCESSES)))
        assert store.verify_decisions().count == PROCESSES * EACH


def test_reader_sees_one_state_while_a_writer_goes_on(place: Path | str) -> None:
    with Store.open(place) as writer, Store.open(place, read_only=True) as reader, ThreadPoolExecutor(1) as pool:

        def write() -> None:
            for _ in range(50):
                writer.append_decisions([Decision(0.0, Verdict.ALLOW, "r", "s")] * 5)

        done = pool.submit(write)
        while not done.done():
            check = reader.verify_decisions()
            assert check.broken == 0
            assert check.count % 5 == 0
        done.result()
        assert reader.verify_decisions().count == 250
