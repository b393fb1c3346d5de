"""What the kernel refuses becomes one clear error, and leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from pratique.errors import KernelError
from pratique.sensor.blob import Blob, load, parse_blob, read_blob
from pratique.sensor.live import remove_pins
from pratique.sensor.maps import Map
from testbed.cell import Cell, policy

BPF = Path(__file__).parents[3] / "bpf"
REFUSED = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); }
cells SEC(".maps");
char LICENSE[] SEC("license") = "GPL";
SEC("cgroup/connect4") int refused(void *ctx)
{
	__u32 key = 0;
	__u64 *cell = bpf_map_lookup_elem(&cells, &key);
	return *cell & 1;
}
"""


@pytest.fixture
def refused(root: None, tmp_path: Path) -> Blob:
    """A blob whose program reads a map without looking whether it got anything."""
    del root
    (tmp_path / "refused.bpf.c").write_text(REFUSED)
    compile_ = ["clang", "-target", "bpf", "-O2", "-g", "-c", "refused.bpf.c", "-o", "refused.bpf.o"]
    include = f"-I/usr/include/{sys.implementation._multiarch}"
    subprocess.run([*compile_, include], cwd=tmp_path, check=True)
    subprocess.run(
        [sys.executable, BPF / "make_blob.py", tmp_path / "refused.bpf.o", tmp_path / "refused.blob"], check=True
    )
    return parse_blob((tmp_path / "refused.blob").read_bytes(), "refused")


def test_refused_program_is_an_error_with_the_verifiers_reason(refused: Blob) -> None:
    with pytest.raises(KernelError, match="map_value_or_null") as raised:
        load(refused)
    assert "load refused" in raised.value.what
    assert "\n" not in raised.value.what
    assert raised.value.hint


def test_refused_map_is_an_error(root: None) -> None:
    del root
    with pytest.raises(KernelError, match="EINVAL"):
        load(read_blob("egress"), max_entries={"pq_events": 12345})


def test_programs_are_loaded_all_or_none(refused: Blob) -> None:
    before = open_descriptors()
    with pytest.raises(KernelError):
        load(refused)
    assert open_descriptors() == before


def test_policy_that_does_not_fit_is_an_error_and_lifts_what_was_begun(cell: Cell) -> None:
    with pytest.raises(KernelError, match="pq_slots"):
        cell.sensor([policy(number) for number in range((1 << 16) + 1)])
    assert not cell.pins.exists()


def test_wrong_sizes_never_reach_the_kernel(root: None) -> None:
    del root
    array = Map.create_array(8, "cells")
    with pytest.raises(KernelError, match="takes 4 bytes"):
        array.get(b"12345")
    with pytest.raises(KernelError, match="takes 8 bytes"):
        array.set(bytes(4), b"1")
    array.close()


def test_removing_pins_that_are_not_there_is_no_error(tmp_path: Path) -> None:
    remove_pins(tmp_path / "nothing")


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
