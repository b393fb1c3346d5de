from pathlib import Path

import pytest

from pratique.runtime import Hierarchy
from pratique.runtime.host import NEEDED_CAPABILITIES, host_facts, missing_capabilities, parse_lockdown


@pytest.mark.parametrize(
    ("text", "mode"),
    [("none [integrity] confidentiality\n", "integrity"), ("[none] integrity confidentiality", "none"), ("", "")],
)
def test_the_mode_in_brackets_is_the_one_in_force(text: str, mode: str) -> None:
    assert parse_lockdown(text) == mode


def test_capabilities_are_bits_of_the_effective_set() -> None:
    assert missing_capabilities("Name:\tx\nCapEff:\t000001ffffffffff\n") == ()
    assert missing_capabilities("CapEff:\t0000000000000000\n") == tuple(NEEDED_CAPABILITIES)
    assert missing_capabilities("CapEff:\t000001ffffdfffff\n") == ("CAP_SYS_ADMIN",)
    assert missing_capabilities("") == tuple(NEEDED_CAPABILITIES)


def test_what_may_not_be_seen_is_not_there(tmp_path: Path) -> None:
    facts = host_facts(tmp_path)
    assert facts.hierarchy is Hierarchy.LEGACY
    assert (facts.btf, facts.bpffs, facts.tracefs, facts.unified, facts.lockdown) == (False, False, False, "", "")
    assert facts.missing_capabilities == tuple(NEEDED_CAPABILITIES)


def test_a_host_is_read_from_its_files(tmp_path: Path) -> None:
    for path, text in {
        "proc/self/mounts": "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\nbpf /sys/fs/bpf bpf rw 0 0\n",
        "proc/self/status": "CapEff:\t000001ffffffffff\n",
        "sys/kernel/btf/vmlinux": "BTF",
        "sys/kernel/security/lsm": "lockdown,capability,bpf\n",
        "sys/kernel/security/lockdown": "none [integrity] confidentiality",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    facts = host_facts(tmp_path)
    assert (facts.hierarchy, facts.unified) == (Hierarchy.UNIFIED, "/sys/fs/cgroup")
    assert (facts.btf, facts.bpffs, facts.tracefs) == (True, True, False)
    assert (facts.lockdown, facts.security_modules) == ("integrity", ("lockdown", "capability", "bpf"))
    assert facts.missing_capabilities == ()
