import json
import os
import pty
import signal
import subprocess
import sys

import pytest
from msgspec.structs import replace

from pratique.model import Behaviour, Detonation
from pratique.store import Store
from tests.unit.cli.conftest import Run
from tests.unit.store.values import CHECKOUT, CONTAINER, REDIS, alert, decision, flow

LISTINGS = ("alerts", "flows", "decisions", "images", "containers")
WINDOWS = ("alerts", "flows", "decisions")


@pytest.mark.parametrize("command", [*LISTINGS, "learn"])
@pytest.mark.usefixtures("host")
def test_without_a_store_the_next_step_is_told(pratique: Run, command: str) -> None:
    code, out, err = pratique(command)
    assert (code, out) == (1, "")
    assert "nothing recorded yet" in err
    assert "hint: start 'pratique up'" in err


@pytest.mark.parametrize("command", LISTINGS)
@pytest.mark.usefixtures("store")
def test_json_is_one_array_and_jsonl_one_object_a_line(pratique: Run, command: str) -> None:
    code, out, _ = pratique(command, "-f", "json")
    assert code == 0
    documents = json.loads(out)
    assert documents
    code, out, _ = pratique(command, "-f", "jsonl")
    assert code == 0
    assert [json.loads(line) for line in out.splitlines()] == documents


@pytest.mark.usefixtures("store")
def test_json_times_are_utc(pratique: Run) -> None:
    (first, _) = json.loads(pratique("alerts", "-f", "json")[1])
    assert first["at"] == "1970-01-01T00:01:40.000Z"
    (container,) = json.loads(pratique("containers", "-f", "json")[1])
    assert container["gone_at"] is None
    assert container["first_seen"].endswith("Z")


@pytest.mark.parametrize("command", LISTINGS)
@pytest.mark.usefixtures("store")
def test_table_that_is_not_for_a_terminal_is_plain_and_complete(pratique: Run, command: str) -> None:
    code, out, _ = pratique(command)
    assert code == 0
    assert "\x1b" not in out
    assert len(out.splitlines()) > 1
    assert all(line == line.rstrip() for line in out.splitlines())


@pytest.mark.parametrize("command", WINDOWS)
@pytest.mark.usefixtures("store")
def test_window_is_chosen_by_image_time_and_number(pratique: Run, command: str) -> None:
    def count(*arguments: str) -> int:
        return len(pratique(command, "-f", "jsonl", *arguments)[1].splitlines())

    assert count() == 2
    assert count("--limit", "1") == 1
    assert count("--since", "1970-01-01T00:00:00") == 2
    assert count("--since", "1h") == 0
    assert count("--image", "shop/checkout:1") == 1
    assert count("--image", CHECKOUT.id) == 1


@pytest.mark.usefixtures("store")
def test_flows_are_chosen_by_verdict_and_alerts_by_severity(pratique: Run) -> None:
    assert pratique("flows", "--verdict", "denied", "-f", "jsonl")[1] == ""
    assert len(pratique("flows", "--verdict", "denied", "--verdict", "allowed", "-f", "jsonl")[1].splitlines()) == 2
    assert pratique("alerts", "--severity", "critical", "-f", "jsonl")[1] == ""
    assert len(pratique("alerts", "--severity", "high", "-f", "jsonl")[1].splitlines()) == 2


@pytest.mark.parametrize("command", WINDOWS)
@pytest.mark.usefixtures("store")
def test_unknown_image_is_told(pratique: Run, command: str) -> None:
    code, _, err = pratique(command, "--image", "no/such\x1b[31m")
    assert code == 1
    assert "no image 'no/such\\x1b[31m' is known" in err


@pytest.mark.parametrize("wrong", ["yesterday", "1y", "-1h", "", "10", "2026-13-01", "1e9"])
@pytest.mark.usefixtures("store")
def test_time_that_is_none_is_told(pratique: Run, wrong: str) -> None:
    code, _, err = pratique("alerts", "--since", wrong)
    assert code == 1
    assert "like 10m, 1h, 2d" in err


@pytest.mark.usefixtures("store")
def test_following_cannot_give_one_document(pratique: Run) -> None:
    code, out, err = pratique("alerts", "--follow", "-f", "json")
    assert (code, out) == (1, "")
    assert "jsonl" in err


def test_names_from_containers_cannot_steer_a_terminal(pratique: Run, store: Store) -> None:
    hostile = "x\x1b[2J\x1b]0;owned\x07\r\nFORGED LINE\u202egnp.exe"
    store.put_container(replace(CONTAINER, id="e" * 64, name=hostile), hostile, False, 1.0)
    store.put_image(replace(REDIS, references=(hostile,)), 1.0)
    store.add_alerts([replace(alert("h"), container_name=hostile, evidence={"file": hostile})])
    store.append_decisions([replace(decision(), subject=hostile, reason=hostile)])
    store.add_flows([replace(flow(port=1), command=hostile)])
    for command in LISTINGS:
        _, out, _ = pratique(command)
        assert not set(out) & set("\x1b\x07\r\u202e"), command
        assert not any(line.startswith("FORGED") for line in out.splitlines())


@pytest.mark.usefixtures("store")
def test_images_show_what_their_reports_count(pratique: Run) -> None:
    documents = {document["id"]: document for document in json.loads(pratique("images", "-f", "json")[1])}
    assert documents[CHECKOUT.id]["report"]["malware"] == 1
    assert documents[REDIS.id]["report"] is None


def test_images_show_what_they_did_in_the_sandbox(pratique: Run, store: Store) -> None:
    store.detonations.put(Detonation(CHECKOUT, 1.0, 20.0, ("/start",), Behaviour.BAD, "a miner was started"))
    documents = {document["id"]: document for document in json.loads(pratique("images", "-f", "json")[1])}
    assert (documents[CHECKOUT.id]["detonated"], documents[REDIS.id]["detonated"]) == ("bad", None)
    assert " bad " in pratique("images")[1]


def test_removed_containers_are_shown_when_asked_for(pratique: Run, store: Store) -> None:
    store.container_gone(CONTAINER.id, 300.0)
    assert json.loads(pratique("containers", "-f", "json")[1]) == []
    (container,) = json.loads(pratique("containers", "--all", "-f", "json")[1])
    assert container["gone_at"] == "1970-01-01T00:05:00.000Z"


def test_sound_chain_is_told_with_its_head_and_a_broken_one_with_its_place(pratique: Run, store: Store) -> None:
    code, out, _ = pratique("decisions", "--verify")
    assert code == 0
    assert out == f"2 decisions, chain intact, head {store.decisions()[-1].hash}\n"
    with store._database.write() as connection:
        connection.exec_driver_sql("DELETE FROM decisions WHERE id = 2")
    code, out, err = pratique("decisions", "--verify")
    assert (code, out) == (1, "")
    assert "broken at record 2" in err


def test_following_shows_what_is_new_and_ends_quietly(store: Store) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pratique", "decisions", "--follow", "-f", "jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert [json.loads(process.stdout.readline())["id"] for _ in range(2)] == [1, 2]
    store.append_decisions([decision(3), decision(4)])
    assert [json.loads(process.stdout.readline())["id"] for _ in range(2)] == [3, 4]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert err == ""


@pytest.mark.usefixtures("store")
def test_terminal_gets_colours_unless_it_does_not_want_them() -> None:
    def shown(**environment: str) -> str:
        primary, secondary = pty.openpty()
        variables = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200", **environment}
        variables = {name: value for name, value in variables.items() if value or name != "NO_COLOR"}
        process = subprocess.Popen([sys.executable, "-m", "pratique", "alerts"], stdout=secondary, env=variables)
        os.close(secondary)
        text = b""
        while True:
            try:
                part = os.read(primary, 4096)
            except OSError:  # EIO: the other end is closed
                break
            if not part:
                break
            text += part
        process.wait(timeout=60)
        os.close(primary)
        return text.decode()

    assert "\x1b[31m" in shown(NO_COLOR="")
    assert "\x1b[31m" not in shown(NO_COLOR="1")


def test_closed_pipe_ends_quietly(store: Store) -> None:
    store.add_flows([flow(port=port) for port in range(2000)])
    shell = f"({sys.executable} -m pratique flows -f jsonl; echo code=$? >&2) | head -1"
    result = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert result.stderr == "code=1\n"
