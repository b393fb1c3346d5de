"""The malware rules over this machine: honest programs give nothing, compiled stand-ins are found."""

import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pratique.analyzers.malware.analyzer import Malware
from pratique.image import Kind, Node
from pratique.model import Finding
from tests.conftest import cannot
from tests.unit.analyzers.context import context

_MOST = 64 << 20
STAND_INS = {
    "miner-program": (
        "usr/bin/kdevtmpfsi",
        ["donate-level", "randomx/0", "stratum+tcp://pool.invalid:3333", "XMRig"],
        [],
    ),
    "process-hider": (
        "usr/local/lib/libsystem.so",
        ["dlsym", "readdir64", "/proc/self/fd/%d", "/proc/%s/stat", "%d (%[^)]s"],
        [],
    ),
    "static-program-in-temporary": ("tmp/.x", [], ["-static", "-s"]),
}


def programs() -> Iterator[Path]:
    folders = [Path("/usr/bin"), Path("/usr/sbin"), *Path("/usr/lib").glob("python3*")]
    for folder in folders:
        for path in folder.rglob("*"):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) and 0 < status.st_size < _MOST:
                yield path


def test_no_honest_program_of_this_machine_is_malware() -> None:
    analyzer = Malware(context())
    count = 0
    found: list[object] = []
    for path in programs():
        node = Node(str(path)[1:], Kind.FILE, 0, path.stat().st_mode & 0o7777, size=path.stat().st_size)
        found += analyzer.analyze(node, path.read_bytes())
        count += 1
    assert count > 500
    assert found == []


@pytest.mark.parametrize("rule", STAND_INS)
def test_compiled_stand_in_is_found(rule: str, tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        cannot("no C compiler")
    path, strings, flags = STAND_INS[rule]
    words = ", ".join(f'"{word}"' for word in strings) or '""'
    source = tmp_path / "main.c"
    source.write_text(f"const char *const words[] = {{{words}}};\nint main(void) {{ return words[0] == 0; }}\n")
    subprocess.run(["gcc", *flags, "-o", tmp_path / "program", source], check=True)
    content = (tmp_path / "program").read_bytes()
    facts = list(Malware(context()).analyze(Node(path, Kind.FILE, 0, 0o755, size=len(content)), content))
    assert [fact.rule for fact in facts if isinstance(fact, Finding)] == [rule]
