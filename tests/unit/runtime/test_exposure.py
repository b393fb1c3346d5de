import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.runtime.exposure import (
    EngineProcess,
    Listener,
    answers,
    engine_processes,
    only_behind,
    parse_listeners,
    read_engine_config,
    socket_facts,
)

TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0947 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0 100 0 0 10 0
   1: 00000000:0948 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 200 1 0 100 0 0 10 0
   2: 0100007F:0947 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 300 1 0 100 0 0 10 0
"""
TABLE6 = """  sl  local_address remote_address st tx rx tr tm uid timeout inode
   0: 00000000000000000000000000000000:0947 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 400 1
   1: 000080FE00000000FF005450A11EFFFE:0948 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 500 1
"""


def test_listening_sockets_of_a_process_are_found_by_inode() -> None:
    assert parse_listeners(TABLE, [100, 300]) == (Listener("127.0.0.1", 2375),)
    assert [str(found) for found in parse_listeners(TABLE, range(1000))] == ["127.0.0.1:2375", "0.0.0.0:2376"]


def test_ipv6_addresses_are_in_words_of_the_machine() -> None:
    found = [str(listener) for listener in parse_listeners(TABLE6, [400, 500])]
    assert found == ["[::]:2375", "[fe80::5054:ff:feff:1ea1]:2376"]


@given(st.text())
def test_any_table_is_read(table: str) -> None:
    parse_listeners("head\n" + table, [1])


@pytest.mark.parametrize(
    ("arguments", "hosts"),
    [
        ("-H tcp://0.0.0.0:2375", ("tcp://0.0.0.0:2375",)),
        ("-Htcp://a:1", ("tcp://a:1",)),
        ("-H=tcp://a:1", ("tcp://a:1",)),
        ("--host tcp://a:1 --host=fd://", ("tcp://a:1", "fd://")),
        ("--tlsverify -H", ("",)),
        ("", ()),
    ],
)
def test_every_way_to_name_a_host_is_read(arguments: str, hosts: tuple[str, ...]) -> None:
    assert EngineProcess(1, ("dockerd", *arguments.split()), ()).hosts == hosts


def test_options_are_read_with_and_without_values() -> None:
    engine = EngineProcess(1, ("dockerd", "--tlsverify", "--config-file", "/x.json", "--label=a=b"), ())
    assert engine.option("tlsverify") == ("",)
    assert engine.option("label") == ("a=b",)
    assert engine.option("debug") == ()
    assert engine.config_file == "/x.json"


def test_engines_are_found_by_name(tmp_path: Path) -> None:
    for pid, name in ((10, "dockerd"), (11, "bash")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "comm").write_text(name + "\n")
        (tmp_path / str(pid) / "cmdline").write_text(f"/usr/bin/{name}\0-D\0")
    (tmp_path / "self").mkdir()
    (tmp_path / "12").mkdir()
    assert engine_processes(tmp_path) == (EngineProcess(10, ("/usr/bin/dockerd", "-D"), ()),)


def test_the_engine_behind_a_socket_is_told_from_others(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    ours, other = EngineProcess(os.getpid(), ("dockerd",), ()), EngineProcess(1, ("dockerd",), ())
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert only_behind(f"unix://{path}", (other, ours)) == (ours,)
        assert only_behind(f"unix://{path}", (other,)) == (other,)
        assert answers(path)
    assert only_behind(f"unix://{path}", (other, ours)) == (other, ours)
    assert not answers(path)


def test_owner_and_mode_of_a_socket_are_told(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0o660)
        found = socket_facts(path)
    assert found is not None
    assert (found.path, found.mode) == (str(path), 0o660)
    assert found.owner not in found.members
    (tmp_path / "file").write_text("")
    assert socket_facts(tmp_path / "file") is None
    assert socket_facts(tmp_path / "nothing") is None


@pytest.mark.parametrize("text", ["{", "[]", '"x"', "[" * 100_000, "\udcff"])
def test_broken_engine_configuration_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "daemon.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    assert isinstance(read_engine_config(path), str)


def test_engine_configuration_is_read(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    assert read_engine_config(path) == {}
    path.write_text("")
    assert read_engine_config(path) == {}
    path.write_text(json.dumps({"hosts": ["fd://"]}))
    assert read_engine_config(path) == {"hosts": ["fd://"]}
