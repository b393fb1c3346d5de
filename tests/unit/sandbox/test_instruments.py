"""What is kept of what the instruments heard."""

import os
import socket
import struct
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pratique.model import ConversationEvent, ExecEvent, ExecFlag, Protocol, Service, WriteEvent
from pratique.sandbox import leftovers, meters
from pratique.sandbox.instruments import completed, is_storm
from pratique.sandbox.sinkhole.datagrams import address_of
from pratique.sandbox.sinkhole.events import LENGTH, Teller, Told
from tests.unit.sandbox.test_start import job


def told(fd: int) -> list[Told]:
    messages = []
    with os.fdopen(fd, "rb") as stream:
        while head := stream.read(LENGTH):
            messages.append(msgspec.msgpack.decode(stream.read(int.from_bytes(head, "big")), type=Told))
    return messages


def conversation(port: int) -> ConversationEvent:
    return ConversationEvent(1.0, Service.TCP, Protocol.TCP, "192.0.2.1", port)


def test_of_conversations_alike_the_first_and_the_last_are_told() -> None:
    reader, writer = os.pipe()
    teller = Teller(writer, 100)
    for at in range(90):
        teller.tell(replace(conversation(1), at=float(at)))
    teller.close()
    messages = told(reader)
    times = [message.event.at for message in messages if message.event]
    assert times == [*range(20), 89]
    assert messages[-1].omitted == 0


def test_too_many_conversations_are_only_counted() -> None:
    reader, writer = os.pipe()
    teller = Teller(writer, 25)
    for port in range(2, 32):
        teller.tell(conversation(port))
    teller.close()
    messages = told(reader)
    assert len([each for each in messages if each.event]) == 25
    assert messages[-1].last
    assert messages[-1].omitted == 5


def execution(at: float, pid: int, command: str) -> ExecEvent:
    return ExecEvent(at, 5, pid, 1, 0, "/x", "", (), command, "sh", ExecFlag.LOWER)


def test_name_of_a_process_that_was_gone_comes_from_its_last_execution() -> None:
    writes = [WriteEvent(at, 0, 7, "", f"/{at}") for at in (1.0, 3.0, 5.0)] + [WriteEvent(6.0, 0, 8, "known", "/k")]
    events = list(completed(writes, [execution(2.0, 7, "sh"), execution(4.0, 7, "cp"), execution(4.5, 9, "no")], 5))
    assert [event.command for event in events if isinstance(event, WriteEvent)] == ["", "sh", "cp", "known"]
    assert {event.cgroup for event in events if isinstance(event, WriteEvent)} == {5}


def test_the_same_execution_again_and_again_is_no_loss_and_a_storm_is() -> None:
    assert not is_storm([execution(n / 100, n, "sh") for n in range(3000)])
    assert not is_storm([execution(1.0, n, "sh") for n in range(499)])
    assert is_storm([execution(float(n), n, "sh") for n in range(9)] + [execution(9.0, n, "sh") for n in range(500)])


@given(st.binary(max_size=40))
def test_no_control_message_breaks_the_address(data: bytes) -> None:
    address_of(data)


def test_address_of_either_family_is_read() -> None:
    four = struct.pack("=H", socket.AF_INET) + struct.pack(">H4s8x", 53, bytes([192, 0, 2, 1]))
    six = struct.pack("=H", socket.AF_INET6) + struct.pack(">HI16sI", 53, 0, bytes(15) + b"\1", 0)
    assert address_of(four) == ("192.0.2.1", 53)
    assert address_of(six) == ("::1", 53)
    assert address_of(b"\0" * 28) is None


@pytest.mark.parametrize("hierarchy", ["v2", "hybrid"])
def test_meters_are_read_on_either_kind_of_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hierarchy: str
) -> None:
    monkeypatch.setattr(meters, "CGROUPS", tmp_path)
    below = f"{job().name}/{job().container}"
    unified = tmp_path / below if hierarchy == "v2" else tmp_path / "unified" / below
    unified.mkdir(parents=True)
    (unified.parent.parent / "cgroup.controllers").write_text("")
    (unified / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")
    (unified / "cpu.pressure").write_text(
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=250000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
    )
    if hierarchy == "v2":
        (unified / "memory.peak").write_text("4096\n")
        (unified / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    else:
        memory = tmp_path / "memory" / below
        memory.mkdir(parents=True)
        (memory / "memory.max_usage_in_bytes").write_text("4096\n")
        (memory / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    assert meters.Meters.read(job()) == meters.Meters(1.5, 0.25, 4096, True)
    assert meters.inode_of(job()) == unified.stat().st_ino
    assert meters.unified() == unified.parent.parent


def test_name_of_a_run_tells_its_process() -> None:
    first, second = leftovers.new_name(), leftovers.new_name()
    assert first != second
    assert first.startswith(f"pratique-sandbox-{os.getpid()}-")


def test_sweep_takes_only_what_is_a_dead_processes(tmp_path: Path) -> None:
    living = tmp_path / leftovers.new_name()
    dead = tmp_path / "pratique-sandbox-4194304-1-0000abcd"
    reused = tmp_path / f"pratique-sandbox-{os.getpid()}-1-0000abcd"
    foreign = tmp_path / "pratique-sandbox-notes"
    for directory in (living, dead, reused, foreign):
        (directory / "tree").mkdir(parents=True)
    leftovers.sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([living, foreign])
