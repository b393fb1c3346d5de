"""BPF maps: one class over a descriptor. Keys and values are bytes of the map's own sizes."""

import ctypes
import errno
import os
import struct
from collections.abc import Mapping, Sequence
from typing import Final, Self

from pratique.errors import KernelError
from pratique.sensor.kernel import Command, attempt, attributes, call, refuse

_BATCH: Final = 4096
_EXCLUSIVE: Final = 1
"""``BPF_NOEXIST``"""
_TYPE_ARRAY: Final = 2
_TYPES_PER_CPU: Final = frozenset({5, 6, 10})


class Map:
    """A map.

    :param fd: its descriptor, owned by this object from now on
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        information = ctypes.create_string_buffer(80)
        query = attributes("IIQ", fd, ctypes.sizeof(information), ctypes.addressof(information))
        call(Command.OBJ_GET_INFO_BY_FD, query, "describe a map")
        # struct bpf_map_info: type, id, key_size, value_size, max_entries, map_flags, name[16]
        fields: tuple[int, ...] = struct.unpack_from("=IIIIII", information)
        self.kind, _, self.key_size, self.value_size, self.max_entries, _ = fields
        name: bytes = struct.unpack_from("=16s", information, 24)[0]
        self.name = name.split(b"\0", 1)[0].decode()
        self._key = ctypes.create_string_buffer(self.key_size or 1)
        self._value = ctypes.create_string_buffer(self._stored_size or 1)

    @classmethod
    def create_array(cls, value_size: int, name: str) -> Self:
        """Create an array with one element."""
        buffer = ctypes.create_string_buffer(44)
        # map_type, key_size, value_size, max_entries, map_flags, inner_map_fd, numa_node, map_name
        struct.pack_into("=IIIIIII15sx", buffer, 0, _TYPE_ARRAY, 4, value_size, 1, 0, 0, 0, name.encode()[:15])
        return cls(call(Command.MAP_CREATE, buffer, f"create map {name}"))

    @property
    def _stored_size(self) -> int:
        """What one look-up copies: for per-CPU maps one value, rounded to 8, for each possible CPU."""
        if self.kind in _TYPES_PER_CPU:
            return (self.value_size + 7) // 8 * 8 * possible_cpus()
        return self.value_size

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""
        self._put_key(key)
        result, code = attempt(Command.MAP_LOOKUP_ELEM, self._element(0))
        if result < 0:
            if code == errno.ENOENT:
                return None
            refuse(f"read map {self.name}", code)
        return self._value.raw[: self._stored_size]

    def set(self, key: bytes, value: bytes, *, exclusive: bool = False) -> bool:
        """Store a value; ``exclusive``: only where none is. Return whether it was stored."""
        self._put_key(key)
        self._check(len(value), self._stored_size)
        self._value.raw = value.ljust(len(self._value), b"\0")
        result, code = attempt(Command.MAP_UPDATE_ELEM, self._element(_EXCLUSIVE if exclusive else 0))
        if result < 0:
            if exclusive and code == errno.EEXIST:
                return False
            refuse(f"write map {self.name}", code)
        return True

    def delete(self, key: bytes) -> bool:
        """Remove a key and return whether it was there."""
        self._put_key(key)
        # The kernel refuses a deletion that names a value.
        query = attributes("IIQ", self.fd, 0, ctypes.addressof(self._key))
        result, code = attempt(Command.MAP_DELETE_ELEM, query)
        if result < 0 and code != errno.ENOENT:
            refuse(f"remove an entry of map {self.name}", code)
        return result >= 0

    def items(self) -> list[tuple[bytes, bytes]]:
        """Return all pairs, read in batches (kernel 5.6; LPM tries 5.13). Not for arrays and per-CPU maps."""
        keys = ctypes.create_string_buffer(self.key_size * _BATCH)
        values = ctypes.create_string_buffer(self.value_size * _BATCH)
        token = ctypes.create_string_buffer(max(self.key_size, 8))
        pairs: list[tuple[bytes, bytes]] = []
        start, batch = 0, _BATCH
        while True:
            query = self._batch(start, ctypes.addressof(token), ctypes.addressof(keys), ctypes.addressof(values), batch)
            result, code = attempt(Command.MAP_LOOKUP_BATCH, query)
            if result < 0 and code == errno.ENOSPC:
                # One bucket holds more than the buffer: take a larger one and go on.
                batch *= 2
                keys = ctypes.create_string_buffer(self.key_size * batch)
                values = ctypes.create_string_buffer(self.value_size * batch)
                continue
            if result < 0 and code != errno.ENOENT:
                refuse(f"read map {self.name}", code)
            count = struct.unpack_from("=I", query, 32)[0]
            raw_keys, raw_values = keys.raw, values.raw
            pairs.extend(
                (
                    raw_keys[index * self.key_size : (index + 1) * self.key_size],
                    raw_values[index * self.value_size : (index + 1) * self.value_size],
                )
                for index in range(count)
            )
            if result < 0:
                return pairs
            start = ctypes.addressof(token)

    def update(self, pairs: Mapping[bytes, bytes]) -> None:
        """Store many pairs in batches (kernel 5.6; LPM tries 5.13)."""
        if not pairs:
            return
        keys, values = b"".join(pairs), b"".join(pairs.values())
        self._check(len(keys), self.key_size * len(pairs))
        self._check(len(values), self.value_size * len(pairs))
        key_buffer = ctypes.create_string_buffer(keys, len(keys))
        value_buffer = ctypes.create_string_buffer(values, len(values))
        query = self._batch(0, 0, ctypes.addressof(key_buffer), ctypes.addressof(value_buffer), len(pairs))
        call(Command.MAP_UPDATE_BATCH, query, f"write {len(pairs)} entries to map {self.name}")

    def delete_many(self, keys: Sequence[bytes]) -> None:
        """Remove many keys in batches, of which some may be gone already."""
        start = 0
        while start < len(keys):
            batch = b"".join(keys[start : start + _BATCH])
            self._check(len(batch), self.key_size * len(keys[start : start + _BATCH]))
            buffer = ctypes.create_string_buffer(batch, len(batch))
            query = self._batch(0, 0, ctypes.addressof(buffer), 0, len(batch) // self.key_size)
            result, code = attempt(Command.MAP_DELETE_BATCH, query)
            start += struct.unpack_from("=I", query, 32)[0]
            if result < 0:
                if code != errno.ENOENT:
                    refuse(f"remove entries of map {self.name}", code)
                start += 1  # this one is gone already

    def close(self) -> None:
        """Close the descriptor; a pinned or attached map lives on."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _batch(self, start: int, token: int, keys: int, values: int, count: int) -> ctypes.Array[ctypes.c_char]:
        return attributes("QQQQIIQQ", start, token, keys, values, count, self.fd, 0, 0)

    def _element(self, flags: int) -> ctypes.Array[ctypes.c_char]:
        return attributes("IIQQQ", self.fd, 0, ctypes.addressof(self._key), ctypes.addressof(self._value), flags)

    def _put_key(self, key: bytes) -> None:
        self._check(len(key), self.key_size)
        self._key.raw = key.ljust(len(self._key), b"\0")

    def _check(self, size: int, wanted: int) -> None:
        if size != wanted:
            msg = f"map {self.name} takes {wanted} bytes, not {size}"
            raise KernelError(msg)


def possible_cpus() -> int:
    """Return how many values one element of a per-CPU map has."""
    with open("/sys/devices/system/cpu/possible", encoding="ascii") as file:  # noqa: PTH123  # sysfs: one short read
        ranges = file.read().strip().split(",")
    return 1 + int(ranges[-1].rpartition("-")[2])
