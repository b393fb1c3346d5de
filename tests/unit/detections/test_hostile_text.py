"""Text and names are an enemy's: whatever he writes, to judge it takes no more than the text is long.

What fails here does not fail, it does not end: before they looked ahead, some of these took seconds each.
"""

import pytest

from pratique.detections import judge_recording
from pratique.model import ExecFlag
from tests.unit.detections.events import execution, recording, write

MOST: int = 500
"""Of the bytes of all arguments the sensor hands over 512."""
TIMES: int = 200
SHELL: dict[str, str] = {
    "gzip": "gzip -" + "d" * MOST,
    "xz": "xz -" + "ddw" * 160,
    "base64": "base64 -" + "wd" * 240,
    "xxd": "xxd -" + "r" * MOST,
    "decoders": "gunzip|" * 70,
    "downloads": "curl " * 100,
    "substitutions": "sh -c `" * 70,
    "devices": "/dev/tcp/a/1 " + "while read " * 40,
}
PYTHON: dict[str, str] = {
    "sockets": "socket dup2 " * 41,
    "shells": "socket " * 30 + "dup2" * 70,
    "php": "fsockopen( sh " * 35,
    "codes": "exec  (" * 70,
}


@pytest.mark.parametrize("name", SHELL)
def test_command_line_that_almost_matches_costs_next_to_nothing(name: str) -> None:
    text = SHELL[name][:MOST]
    judge_recording(recording(*(execution("/bin/sh", "-c", text, pid=n) for n in range(TIMES))))


@pytest.mark.parametrize("name", PYTHON)
def test_code_that_almost_matches_costs_next_to_nothing(name: str) -> None:
    text = PYTHON[name][:MOST]
    judge_recording(recording(*(execution("/usr/bin/python3", "-c", text, pid=n) for n in range(TIMES))))


def test_thousands_of_files_of_one_name_cost_no_more_than_others() -> None:
    count = 20_000
    files = [write(f"/tmp/{n}/x", pid=n + 2, at=99.0 + n / count) for n in range(count)]
    runs = [execution("./x", flags=ExecFlag.UPPER, pid=n + 2, at=100.0 + n / count) for n in range(count)]
    assert {alert.rule for alert in judge_recording(recording(*files, *runs))} == {"exec.drift"}


def test_of_files_of_one_name_the_first_that_was_fetched_counts() -> None:
    run = recording(
        write("/a/i.sh", command="envsubst", at=98.0),
        write("/b/i.sh", command="curl", at=99.0),
        execution("sh", "i.sh"),
    )
    assert "exec.piped-download" in {alert.rule for alert in judge_recording(run)}
