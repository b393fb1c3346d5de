"""Blobs that are damaged, and the log of the verifier in one line."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import KernelError
from pratique.sensor.blob import MAGIC, log_tail, parse_blob, read_blob

HEADER = (
    b'{"name":"x","maps":[{"name":"m","type":2,"key_size":4,"value_size":8,"max_entries":1,"initial":[8,8]}],'
    b'"programs":[{"name":"p","section":"tp_btf/x","type":26,"attach_type":23}],"data":[0,4],"insns":[16,8]}'
)
WHOLE = MAGIC + struct.pack("<I", len(HEADER)) + HEADER + bytes(range(24))


def test_whole_blob() -> None:
    blob = parse_blob(WHOLE, "x")
    assert blob.part(blob.header.data) == bytes(range(4))
    assert blob.header.maps[0].initial == (8, 8)
    assert blob.header.programs[0].section == "tp_btf/x"
    assert len(blob.digest) == 64


def test_cut_blob_is_an_error() -> None:
    for length in range(len(WHOLE)):
        with pytest.raises(KernelError, match="damaged"):
            parse_blob(WHOLE[:length], "x")


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1))
def test_damaged_blob_is_read_or_refused(changes: list[tuple[int, int]]) -> None:
    broken = bytearray(WHOLE)
    for place, value in changes:
        broken[place] = value
    try:
        blob = parse_blob(bytes(broken), "x")
    except KernelError:
        return
    assert len(blob.part(blob.header.insns)) == blob.header.insns[1]


def test_missing_blob_names_the_command_that_builds_it() -> None:
    with pytest.raises(KernelError, match="missing") as raised:
        read_blob("no-such-feature")
    assert "make bpf" in raised.value.hint


def test_end_of_the_verifiers_log_is_one_bounded_line() -> None:
    log = b"0: (b7) r0 = 0\n" * 1000 + b"R1 !read_ok\nprocessed 7 insns (limit 1000000)\n"
    tail = log_tail(log)
    assert tail.endswith("R1 !read_ok")
    assert len(tail) <= 600
    assert "\n" not in tail
