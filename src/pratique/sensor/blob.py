"""Blobs: BPF maps and programs made loadable without libbpf ("light skeleton", linux: tools/lib/bpf/skel_internal.h).

File: ``PRATQBPF``, u32 length of a JSON header, the header, the payload. The header names the maps and programs in the
order in which the loader program numbers them, and where in the payload the loader's data, its instructions and the
maps' initial values are. ``bpf/make_blob.py`` writes it.
"""

import ctypes
import hashlib
import os
import struct
from importlib import resources
from typing import Final

import msgspec
from msgspec import Struct

from pratique.errors import KernelError
from pratique.sensor.kernel import Command, attempt, attributes, call, refuse
from pratique.sensor.maps import Map

MAGIC: Final = b"PRATQBPF"
_LOG_BYTES: Final = 1 << 20
_LOG_TAIL: Final = 600
_CONTEXT_BYTES: Final = 24
_MAP_BYTES: Final = 16
_PROGRAM_TYPE_SYSCALL: Final = 31
_SLEEPABLE: Final = 1 << 4
_PROG_LOAD_BYTES: Final = 128


class MapHeader(Struct, frozen=True):
    """One map of a blob."""

    name: str
    type: int
    key_size: int
    value_size: int
    max_entries: int
    initial: tuple[int, int] | None = None


class ProgramHeader(Struct, frozen=True):
    """One program of a blob; ``section`` says where it belongs: ``tp_btf/cgroup_mkdir``, ``cgroup/connect4`` …"""

    name: str
    section: str
    type: int
    attach_type: int


class BlobHeader(Struct, frozen=True):
    """The header of a blob."""

    name: str
    maps: tuple[MapHeader, ...]
    programs: tuple[ProgramHeader, ...]
    data: tuple[int, int]
    insns: tuple[int, int]


class Blob(Struct, frozen=True):
    """A blob in memory. ``digest`` (sha256, hex) tells builds apart."""

    header: BlobHeader
    payload: bytes
    digest: str

    def part(self, place: tuple[int, int]) -> bytes:
        """Return a part of the payload."""
        return self.payload[place[0] : place[0] + place[1]]


class Loaded(Struct, frozen=True):
    """What loading gave: maps, and descriptors of programs, by name."""

    maps: dict[str, Map]
    programs: dict[str, int]

    def close_programs(self) -> None:
        """Close the programs' descriptors; attached programs live on in their links."""
        for fd in self.programs.values():
            os.close(fd)
        self.programs.clear()

    def close(self) -> None:
        """Close all descriptors."""
        self.close_programs()
        for item in self.maps.values():
            item.close()


def read_blob(name: str) -> Blob:
    """Return a blob of this package.

    :raises KernelError: when it was not built or is damaged
    """
    file = resources.files("pratique.sensor") / "objects" / f"{name}.blob"
    try:
        return parse_blob(file.read_bytes(), name)
    except OSError as error:
        msg = f"BPF object {name} is missing: {error.strerror}"
        raise KernelError(msg, hint="build it with 'make bpf'") from error


def parse_blob(content: bytes, name: str) -> Blob:
    """Decode a blob.

    :raises KernelError: when it is damaged
    """
    try:
        if content[:8] != MAGIC:
            msg = "wrong magic"
            raise ValueError(msg)  # noqa: TRY301  # one message for every kind of damage
        end = 12 + struct.unpack_from("<I", content, 8)[0]
        header = msgspec.json.decode(content[12:end], type=BlobHeader)
        payload = content[end:]
        places = [header.data, header.insns, *(item.initial for item in header.maps if item.initial)]
        if any(offset < 0 or size < 0 or offset + size > len(payload) for offset, size in places):
            msg = "truncated"
            raise ValueError(msg)  # noqa: TRY301
    except (ValueError, struct.error, msgspec.DecodeError) as error:
        msg = f"BPF object {name} is damaged: {error}"
        raise KernelError(msg, hint="build it again with 'make -C bpf clean all'") from error
    return Blob(header=header, payload=payload, digest=hashlib.sha256(content).hexdigest())


def load(blob: Blob, *, max_entries: dict[str, int] | None = None) -> Loaded:
    """Create the maps and load the programs of a blob: all of them or none.

    :param max_entries: sizes of maps other than those compiled in
    :raises KernelError: with the end of the verifier's log
    """
    header = blob.header
    data = Map.create_array(header.data[1], "loader")
    try:
        data.set(bytes(4), blob.part(header.data))
        program = _load_loader(blob, data.fd)
        try:
            try:
                return _run_loader(blob, program, max_entries or {})
            except KernelError:
                # Once more with the verifier's log, which costs more than the load itself.
                log = ctypes.create_string_buffer(_LOG_BYTES)
                return _run_loader(blob, program, max_entries or {}, log)
        finally:
            os.close(program)
    finally:
        data.close()


def _load_loader(blob: Blob, data: int) -> int:
    instructions = blob.part(blob.header.insns)
    code = ctypes.create_string_buffer(instructions, len(instructions))
    licence = ctypes.create_string_buffer(b"Dual BSD/GPL")
    descriptors = (ctypes.c_int * 1)(data)
    buffer = ctypes.create_string_buffer(_PROG_LOAD_BYTES)
    struct.pack_into(
        "=IIQQ",  # prog_type, insn_cnt, insns, license
        buffer,
        0,
        *(_PROGRAM_TYPE_SYSCALL, len(instructions) // 8, ctypes.addressof(code), ctypes.addressof(licence)),
    )
    struct.pack_into("=I", buffer, 44, _SLEEPABLE)  # prog_flags
    struct.pack_into("=Q", buffer, 120, ctypes.addressof(descriptors))  # fd_array
    return call(Command.PROG_LOAD, buffer, f"load the loader of {blob.header.name}")


def _run_loader(
    blob: Blob, program: int, max_entries: dict[str, int], log: ctypes.Array[ctypes.c_char] | None = None
) -> Loaded:
    header = blob.header
    size = _CONTEXT_BYTES + _MAP_BYTES * len(header.maps) + 4 * len(header.programs)
    # struct bpf_loader_ctx: sz, flags, log_level, log_size, log_buf; each map: fd, max_entries, initial value; fds
    context = ctypes.create_string_buffer(size)
    struct.pack_into("=II", context, 0, size, 0)
    if log is not None:
        struct.pack_into("=IIQ", context, 8, 1, len(log), ctypes.addressof(log))
    initial: list[ctypes.Array[ctypes.c_char]] = []
    for index, item in enumerate(header.maps):
        address = 0
        if item.initial is not None:
            content = blob.part(item.initial)
            initial.append(ctypes.create_string_buffer(content, len(content)))
            address = ctypes.addressof(initial[-1])
        place = _CONTEXT_BYTES + _MAP_BYTES * index
        struct.pack_into("=iIQ", context, place, 0, max_entries.get(item.name, 0), address)
    # prog_fd retval data_size_in/out data_in data_out repeat duration ctx_size_in ctx_size_out ctx_in
    run = attributes("IIIIQQIIIIQ", program, 0, 0, 0, 0, 0, 0, 0, size, 0, ctypes.addressof(context))
    result, code = attempt(Command.PROG_TEST_RUN, run)
    returned: int = struct.unpack_from("=i", run, 4)[0]
    if result < 0 or returned < 0:
        refuse(f"load {header.name}", code or -returned, log_tail(log.value) if log is not None else "")
    fds = [
        struct.unpack_from("=i", context, _CONTEXT_BYTES + _MAP_BYTES * index)[0] for index in range(len(header.maps))
    ]
    base = _CONTEXT_BYTES + _MAP_BYTES * len(header.maps)
    programs = struct.unpack_from(f"={len(header.programs)}i", context, base)
    return Loaded(
        maps={item.name: Map(fd) for item, fd in zip(header.maps, fds, strict=True)},
        programs={item.name: fd for item, fd in zip(header.programs, programs, strict=True)},
    )


def log_tail(log: bytes) -> str:
    """Return the end of a verifier log in one line, without its statistics."""
    lines = [line for line in log.decode(errors="replace").splitlines() if line and "processed" not in line]
    return " | ".join(lines)[-_LOG_TAIL:]
