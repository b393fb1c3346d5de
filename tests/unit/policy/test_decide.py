from msgspec.structs import replace

from pratique.model import (
    Behaviour,
    Container,
    Detonation,
    DriftMode,
    EgressMode,
    EgressRule,
    Finding,
    FindingKind,
    ImageId,
    ImageIdentity,
    Protocol,
    Report,
    Severity,
    Unread,
)
from pratique.policy import (
    UNLISTED_POLICY,
    Access,
    Admission,
    Allow,
    Detonated,
    Document,
    Gate,
    ImagePolicy,
    Require,
    Unlisted,
    compile_policies,
    explain_fault,
    first_policy,
    judge_detonation,
    judge_report,
)

IMAGE = ImageIdentity(ImageId("sha256:" + "a" * 64), references=("shop/checkout:1",))
OTHER = ImageIdentity(ImageId("sha256:" + "b" * 64), references=("shop/redis:7",))
CLEAN = Report(IMAGE, scanned_at=1.0, duration_s=1.0, advisories_at=1.0)


def finding(kind: FindingKind, severity: Severity = Severity.HIGH, fixed: str = "") -> Finding:
    return Finding(kind, "rule-1", severity, "title", path="/x", package="openssl", fixed_version=fixed)


def with_findings(*findings: Finding) -> Report:
    return replace(CLEAN, findings=findings)


def test_clean_image_may_run() -> None:
    assert judge_report(CLEAN, Admission(fail_on=tuple(Gate))) == ()


def test_malware_keeps_an_image_from_running_by_default() -> None:
    malware = finding(FindingKind.MALWARE)
    fault = judge_report(with_findings(malware, finding(FindingKind.SECRET)), Admission())
    assert fault == (malware,)
    assert "rule-1" in explain_fault(fault)


def test_each_gate_looks_at_its_own_kind() -> None:
    for gate, kind in (
        (Gate.MALWARE, FindingKind.MALWARE),
        (Gate.SECRET, FindingKind.SECRET),
        (Gate.MISCONFIGURATION, FindingKind.MISCONFIGURATION),
        (Gate.LOW, FindingKind.VULNERABILITY),
    ):
        report = with_findings(*(finding(each, fixed="1.1") for each in FindingKind))
        fault = judge_report(report, Admission(fail_on=(gate,)))
        assert not isinstance(fault, str)
        assert [each.kind for each in fault] == [kind]


def test_vulnerability_counts_only_when_bad_enough_and_fixed_somewhere() -> None:
    admission = Admission(fail_on=(Gate.HIGH,))
    assert judge_report(with_findings(finding(FindingKind.VULNERABILITY, Severity.HIGH, "1.1")), admission)
    assert judge_report(with_findings(finding(FindingKind.VULNERABILITY, Severity.CRITICAL, "1.1")), admission)
    assert not judge_report(with_findings(finding(FindingKind.VULNERABILITY, Severity.MEDIUM, "1.1")), admission)
    assert not judge_report(with_findings(finding(FindingKind.VULNERABILITY, Severity.CRITICAL)), admission)


def test_image_that_could_not_be_read_whole_is_refused_unless_allowed() -> None:
    report = replace(CLEAN, unread=(Unread("/layer/3", "truncated"),))
    fault = judge_report(report, Admission())
    assert isinstance(fault, str)
    assert "/layer/3" in fault
    assert judge_report(report, Admission(incomplete=Access.ALLOW)) == ()


def test_a_gate_on_vulnerabilities_refuses_what_was_scanned_without_advisories() -> None:
    blind = replace(CLEAN, advisories_at=0.0)
    assert "vulnerabilities are not known" in explain_fault(judge_report(blind, Admission(fail_on=(Gate.CRITICAL,))))
    assert judge_report(blind, Admission(fail_on=(Gate.MALWARE, Gate.SECRET))) == ()
    assert judge_report(blind, Admission(fail_on=(Gate.CRITICAL,), incomplete=Access.ALLOW)) == ()


def test_empty_gate_lets_everything_run() -> None:
    assert judge_report(with_findings(finding(FindingKind.MALWARE)), Admission(fail_on=())) == ()


def test_every_image_gets_a_number_of_its_entry_and_the_rest_number_zero() -> None:
    document = Document(
        unlisted=Unlisted(allow=(Allow(to="10.0.0.53", port=53, protocol=Protocol.UDP),)),
        images=(
            ImagePolicy(name="both", ids=(IMAGE.id, OTHER.id), allow=(Allow(to="fd00::/8"), Allow(to="::1"))),
            ImagePolicy(name="third", ids=("sha256:" + "c" * 64,), egress=EgressMode.LEARN, drift=DriftMode.ALERT),
        ),
    )
    compiled = compile_policies(document)
    assert compiled[""].id == UNLISTED_POLICY
    assert compiled[""].rules == (EgressRule("10.0.0.53/32", Protocol.UDP, 53),)
    assert compiled[IMAGE.id] == compiled[OTHER.id]
    assert compiled[IMAGE.id].rules == (EgressRule("fd00::/8", None, 0), EgressRule("::1/128", None, 0))
    third = compiled["sha256:" + "c" * 64]
    assert (third.egress, third.drift) == (EgressMode.LEARN, DriftMode.ALERT)
    assert len({compiled[""].id, compiled[IMAGE.id].id, third.id}) == 3


def test_first_policy_lists_what_runs_and_passes() -> None:
    running = Container("c" * 64, "a", IMAGE.id, running=True)
    stopped = Container("d" * 64, "b", OTHER.id, running=False)
    reports = {IMAGE.id: CLEAN, OTHER.id: replace(CLEAN, image=OTHER)}
    (entry,) = first_policy([IMAGE, OTHER], [running, stopped], reports).images
    assert (entry.name, entry.ids) == ("shop/checkout:1", (IMAGE.id,))
    assert (entry.egress, entry.drift) == (EgressMode.LEARN, DriftMode.ALERT)


def test_first_policy_does_not_list_what_failed_or_was_not_scanned() -> None:
    running = [Container("c" * 64, "a", IMAGE.id, running=True), Container("d" * 64, "b", OTHER.id, running=True)]
    reports = {IMAGE.id: with_findings(finding(FindingKind.MALWARE))}
    document = first_policy([IMAGE, OTHER], running, reports)
    assert document.images == ()
    assert document.unlisted == Unlisted()


def test_behaviour_counts_where_it_is_required_and_only_clean_passes() -> None:
    required = Admission(fail_on=(), require=Require(detonated=Detonated.CLEAN))
    image = ImageIdentity(ImageId("sha256:" + "a" * 64))
    runs = {one: Detonation(image, 1.0, 20.0, (), one, "a miner was started") for one in Behaviour}
    assert judge_detonation(None, Admission()) == judge_detonation(runs[Behaviour.BAD], Admission()) == ""
    assert judge_detonation(runs[Behaviour.CLEAN], required) == ""
    assert judge_detonation(runs[Behaviour.BAD], required) == "its detonation is bad: a miner was started"
    assert judge_detonation(runs[Behaviour.UNCLEAR], required).startswith("its detonation is unclear")
    assert judge_detonation(None, required) == "it was not detonated yet"
