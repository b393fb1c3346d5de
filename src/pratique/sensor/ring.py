"""The consumer's side of a BPF ring buffer, by mmap (linux: Documentation/bpf/ringbuf.rst).

The kernel maps the data twice in a row, so that a record that wraps is contiguous. A record is a u32 length whose top
bits say "not committed yet" and "discarded", a u32 page offset, and the data, rounded to 8 bytes.
"""

import mmap
import struct
from typing import Final

_BUSY: Final = 1 << 31
_DISCARDED: Final = 1 << 30
_HEADER: Final = 8
_POSITION: Final = struct.Struct("=Q")
_LENGTH: Final = struct.Struct("=I")


class Ring:
    """Reader of one ring buffer; there must be only one.

    :param fd: descriptor of the map; it stays the caller's and is readable when records wait
    :param size: ``max_entries`` of the map in bytes
    """

    def __init__(self, fd: int, size: int) -> None:
        page = mmap.PAGESIZE
        self.fd = fd
        self._mask = size - 1
        self._consumer = mmap.mmap(fd, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._producer = mmap.mmap(fd, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        self._data = memoryview(self._producer)[page:]
        self._position: int = _POSITION.unpack_from(self._consumer)[0]

    def read(self, limit: int) -> list[bytes]:
        """Return at most ``limit`` further records that are complete, oldest first.

        They stay in the buffer until :meth:`acknowledge`: a reader that dies before leaves them to its successor.
        """
        records: list[bytes] = []
        position = self._position
        end: int = _POSITION.unpack_from(self._producer)[0]
        data, mask = self._data, self._mask
        while position < end and len(records) < limit:
            start = position & mask
            length: int = _LENGTH.unpack_from(data, start)[0]
            if length & _BUSY:
                break
            size = length & ~_DISCARDED
            if not length & _DISCARDED:
                records.append(bytes(data[start + _HEADER : start + _HEADER + size]))
            position += (size + _HEADER + 7) & ~7
        self._position = position
        return records

    def acknowledge(self) -> None:
        """Free the room of all records that were read."""
        _POSITION.pack_into(self._consumer, 0, self._position)

    def close(self) -> None:
        """Unmap the buffer."""
        self._data.release()
        self._producer.close()
        self._consumer.close()
