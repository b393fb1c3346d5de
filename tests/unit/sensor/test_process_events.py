import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.model import ExecEvent, ExecFlag
from pratique.sensor.process import decode_execution

RECORD = struct.Struct("=QQIIIIII16s16s256s64s512s")


def record(
    *,
    kind: int = 16,
    flags: int = 1,
    filename: bytes = b"/bin/sh",
    interpreter: bytes = b"",
    arguments: bytes = b"sh\0-c\0true\0",
) -> bytes:
    return RECORD.pack(
        *(1_500_000_000, 77, kind, 12, 11, 1000, flags, 0),
        *(b"sh", b"containerd-shim", filename, interpreter, arguments),
    )


def test_execution_is_told_with_everything_that_the_kernel_knows() -> None:
    assert decode_execution(record(), 100.0) == ExecEvent(
        at=101.5,
        cgroup=77,
        pid=12,
        parent=11,
        uid=1000,
        filename="/bin/sh",
        interpreter="",
        arguments=("sh", "-c", "true"),
        command="sh",
        parent_command="containerd-shim",
        flags=ExecFlag.LOWER,
    )


def test_empty_argument_in_the_middle_is_kept() -> None:
    event = decode_execution(record(arguments=b"sh\0\0-c\0"), 0)
    assert event is not None
    assert event.arguments == ("sh", "", "-c")


def test_at_most_sixteen_arguments_are_told() -> None:
    event = decode_execution(record(arguments=b"a\0" * 200), 0)
    assert event is not None
    assert event.arguments == ("a",) * 16


@pytest.mark.parametrize(
    ("names", "path"),
    [
        (b"evil.so\0lib\0usr\0/", "/usr/lib/evil.so"),
        (b"evil.so\0/", "/evil.so"),
        (b"evil.so\0deep\0", "…/deep/evil.so"),
        (b"memfd:x\0", "memfd:x"),
        (b"", ""),
    ],
)
def test_path_of_a_library_is_joined_from_its_names(names: bytes, path: str) -> None:
    event = decode_execution(record(flags=ExecFlag.UPPER | ExecFlag.LIBRARY, filename=names), 0)
    assert event is not None
    assert event.filename == path


def test_bytes_that_are_not_text_are_spelt_out() -> None:
    event = decode_execution(record(filename=b"/tmp/\xff\xfe"), 0)
    assert event is not None
    assert event.filename == "/tmp/\\xff\\xfe"


def test_flags_of_a_newer_kernel_program_are_dropped() -> None:
    event = decode_execution(record(flags=1 << 30 | 2), 0)
    assert event is not None
    assert event.flags == ExecFlag.UPPER


def test_record_of_another_kind_is_no_execution() -> None:
    assert decode_execution(record(kind=2), 0) is None


@given(st.integers(0, RECORD.size - 1))
def test_truncated_record_is_no_execution(size: int) -> None:
    assert decode_execution(record()[:size], 0) is None


@given(st.binary(min_size=RECORD.size, max_size=RECORD.size + 64))
def test_hostile_record_gives_an_event_or_nothing(data: bytes) -> None:
    event = decode_execution(data[:16] + struct.pack("=I", 16) + data[20:], 0.0)
    assert event is not None
    assert len(event.arguments) <= 16
    event.filename.encode()
