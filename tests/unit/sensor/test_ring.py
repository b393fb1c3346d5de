"""The consumer's side of a ring buffer, on a file that is laid out as the kernel lays one out."""

import mmap
import os
import struct
from collections.abc import Iterator

import pytest

from pratique.sensor.ring import Ring

SIZE = 4096
BUSY, DISCARDED = 1 << 31, 1 << 30


class Kernel:
    """The producer's side. Data are written to both mappings, as they appear in the kernel's."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("ring")
        os.ftruncate(self.fd, 2 * mmap.PAGESIZE + 2 * SIZE)
        self.position = 0

    def put(self, data: bytes, flags: int = 0) -> None:
        record = struct.pack("=II", len(data) | flags, 0) + data
        for index, byte in enumerate(record + bytes(-len(record) % 8)):
            place = (self.position + index) % SIZE
            for copy in (place, place + SIZE):
                os.pwrite(self.fd, bytes([byte]), 2 * mmap.PAGESIZE + copy)
        self.position += (len(record) + 7) // 8 * 8
        os.pwrite(self.fd, struct.pack("=Q", self.position), mmap.PAGESIZE)

    def consumed(self) -> int:
        """Return the position up to which room is free."""
        consumed: int = struct.unpack("=Q", os.pread(self.fd, 8, 0))[0]
        return consumed


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    yield kernel
    os.close(kernel.fd)


@pytest.fixture
def ring(kernel: Kernel) -> Iterator[Ring]:
    ring = Ring(kernel.fd, SIZE)
    yield ring
    ring.close()


def test_records_come_in_order_and_only_once(kernel: Kernel, ring: Ring) -> None:
    kernel.put(b"one")
    kernel.put(b"twotwotwo")
    assert ring.read(10) == [b"one", b"twotwotwo"]
    assert ring.read(10) == []


def test_limit_bounds_what_one_call_takes(kernel: Kernel, ring: Ring) -> None:
    for number in range(5):
        kernel.put(bytes([number]))
    assert [len(ring.read(2)), len(ring.read(2)), len(ring.read(2))] == [2, 2, 1]


def test_room_is_freed_only_when_acknowledged(kernel: Kernel, ring: Ring) -> None:
    kernel.put(b"one")
    ring.read(10)
    assert kernel.consumed() == 0
    ring.acknowledge()
    assert kernel.consumed() == kernel.position


def test_successor_gets_what_was_not_acknowledged(kernel: Kernel, ring: Ring) -> None:
    kernel.put(b"one")
    ring.read(10)
    ring.acknowledge()
    kernel.put(b"two")
    ring.read(10)
    successor = Ring(kernel.fd, SIZE)
    assert successor.read(10) == [b"two"]
    successor.close()


def test_discarded_records_are_passed_over(kernel: Kernel, ring: Ring) -> None:
    kernel.put(b"one")
    kernel.put(b"gone", DISCARDED)
    kernel.put(b"two")
    assert ring.read(10) == [b"one", b"two"]


def test_unfinished_record_stops_the_reader(kernel: Kernel, ring: Ring) -> None:
    kernel.put(b"one")
    kernel.put(b"later", BUSY)
    kernel.put(b"two")
    assert ring.read(10) == [b"one"]
    assert ring.read(10) == []


def test_record_that_wraps_is_whole(kernel: Kernel, ring: Ring) -> None:
    for number in range(200):
        data = bytes([number]) * (100 + number)
        kernel.put(data)
        assert ring.read(10) == [data]
        ring.acknowledge()
