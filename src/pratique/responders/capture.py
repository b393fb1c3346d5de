"""Takes evidence of a container into an archive, while it runs or after it stopped; nothing in it is changed."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pratique.responders.archive import Evidence
from pratique.responders.changes import MAX_ENTRIES, Change, walk
from pratique.responders.processes import (
    MAX_PROCESSES,
    Process,
    network_of,
    pids_of,
    read_maps,
    read_process,
    read_sockets,
)

MAX_FILE_BYTES: Final = 16 << 20
"""Of one changed file."""
MAX_FILES_BYTES: Final = 512 << 20
"""Of all changed files together."""
MAX_TABLES_BYTES: Final = 64 << 20
"""Of sockets and memory maps: thousands of processes may have maps of megabytes each."""
MAX_SECONDS: Final = 120.0
"""For each of the two parts."""


def capture_processes(evidence: Evidence, container_id: str, seconds: float = MAX_SECONDS) -> int:
    """Add the processes of a container, the sockets of their networks, and their memory maps; return how many."""
    pids = pids_of(container_id)
    processes = [process for pid in pids if (process := read_process(pid)) is not None]
    evidence.add_json("processes.json", processes)
    left, deadline = MAX_TABLES_BYTES, time.monotonic() + seconds
    for name, content in _tables(processes):
        evidence.add(name, content)
        left -= len(content)
        if left <= 0 or time.monotonic() > deadline:
            evidence.note(f"sockets and memory maps are missing after {name}")
            break
    if not processes:
        evidence.note("no process of the container was running")
    if len(pids) >= MAX_PROCESSES:
        evidence.note(f"there were {MAX_PROCESSES} processes or more: the rest is missing")
    return len(processes)


def _tables(processes: Sequence[Process]) -> Iterator[tuple[str, bytes]]:
    """Yield the sockets of each network once, then the memory maps of each process: member, content."""
    networks: set[str] = set()
    for process in processes:
        network = network_of(process.pid)
        if network and network not in networks:
            networks.add(network)
            for name, content in read_sockets(process.pid):
                yield f"sockets/{len(networks)}/{name}", content
    for process in processes:
        if maps := read_maps(process.pid):
            yield f"maps/{process.pid}", maps


def capture_changes(evidence: Evidence, inspected: Mapping[str, Any], seconds: float = MAX_SECONDS) -> int:
    """Add what a container wrote into its own layer, with the files' content; return how many there are.

    :param inspected: the container, as its engine describes it
    """
    layer = ((inspected.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir")
    if not layer or not Path(layer).is_dir():
        evidence.note("the container's own layer cannot be seen from here: its changed files are missing")
        return 0
    changes: list[Change] = []
    left, deadline = MAX_FILES_BYTES, time.monotonic() + seconds
    for change, content in walk(Path(layer)):
        changes.append(change)
        if content is None:
            continue
        if left <= 0 or time.monotonic() > deadline:
            evidence.note(f"content missing: {change.path}")
            continue
        left -= evidence.add_file(f"files{change.path}", content, min(left, MAX_FILE_BYTES))
    if len(changes) >= MAX_ENTRIES:
        evidence.note(f"more than {MAX_ENTRIES} changes: the rest is missing")
    evidence.add_json("changes.json", changes)
    return len(changes)
