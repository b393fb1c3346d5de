"""A detonation as people and tools see it."""

import msgspec

from pratique.model import (
    Behaviour,
    Detonation,
    Finding,
    FindingKind,
    ImageId,
    ImageIdentity,
    Protocol,
    Severity,
    WantedPeer,
)
from pratique.policy import parse
from pratique.report import allow_list, render_detonation, render_detonation_json

IMAGE = ImageIdentity(ImageId("sha256:" + "a" * 64), references=("shop/worker:2\x1b[31m",))
PEERS = (
    WantedPeer("10.7.0.3", Protocol.TCP, 6379),
    WantedPeer("fd00::1", Protocol.UDP, 53),
    WantedPeer("api.example.org", Protocol.TCP, 443, times=9),
)
BAD = Detonation(
    IMAGE,
    detonated_at=0.0,
    duration_s=20.0,
    command=("/start", "\udcff"),
    verdict=Behaviour.BAD,
    reason="A miner was started (exec.miner)",
    findings=(
        Finding(FindingKind.BEHAVIOUR, "exec.miner", Severity.CRITICAL, "A miner was started", evidence="file /tmp/x"),
    ),
    peers=PEERS,
    programs=tuple(f"/bin/{number}" for number in range(50)),
    slept_s=600.0,
    omitted=3,
)


def test_table_tells_verdict_evidence_list_and_processes() -> None:
    text = render_detonation(BAD, width=100)
    for told in (
        "verdict       bad: A miner was started (exec.miner)",
        "600 s of sleep skipped",
        "lost          3 events",
        "  critical  exec.miner",
        "seen: file /tmp/x",
        "- { to: 10.7.0.3, port: 6379, protocol: tcp }",
        "# - { to: addresses of api.example.org, port: 443, protocol: tcp }",
        "PROCESSES (50)",
        "… and 10 more",
    ):
        assert told in text
    assert all(line.isprintable() for line in text.splitlines())


def test_proposed_allow_list_is_policy() -> None:
    lines = "\n".join(f"  {line}" for line in allow_list(PEERS))
    document = parse(f"images:\n- name: x\n  ids: [{IMAGE.id}]\n{lines}\n".encode())
    assert [(rule.to, rule.port) for rule in document.images[0].allow] == [("10.7.0.3", 6379), ("fd00::1", 53)]
    nobody = "\n".join(f"  {line}" for line in allow_list(()))
    assert parse(f"images:\n- name: x\n  ids: [{IMAGE.id}]\n{nobody}\n".encode()).images[0].allow == ()


def test_list_of_names_alone_is_policy_too() -> None:
    lines = "\n".join(f"  {line}" for line in allow_list(PEERS[2:]))
    parse(f"images:\n- name: x\n  ids: [{IMAGE.id}]\n{lines}\n".encode())


def test_json_is_the_document() -> None:
    document = msgspec.json.decode(render_detonation_json(BAD), type=Detonation)
    assert document.peers == PEERS
    assert document.verdict is Behaviour.BAD
