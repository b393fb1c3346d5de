"""Turn a BPF object file into a blob that pure Python can load: ``python make_blob.py egress.bpf.o egress.blob``.

libbpf's "light skeleton" generator (``bpf_object__gen_loader``) makes, from an object file, a BPF program of type
SYSCALL and its data; run once, that program creates the maps and loads the programs, with CO-RE relocations done
inside the kernel. ``pratique.sensor.blob`` describes the file that is written here and loads it.
"""

import ctypes
import json
import struct
import sys
from pathlib import Path
from typing import Any

MAGIC = b"PRATQBPF"


class Options(ctypes.Structure):
    """``struct gen_loader_opts`` of libbpf.h."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("insns", ctypes.c_void_p),
        ("data_sz", ctypes.c_uint32),
        ("insns_sz", ctypes.c_uint32),
    )


def library() -> ctypes.CDLL:
    """Return libbpf with the result types of what is used here."""
    bpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
    for name in ("bpf_object__open_file", "bpf_object__next_map", "bpf_object__next_program", "bpf_map__initial_value"):
        getattr(bpf, name).restype = ctypes.c_void_p
    for name in ("bpf_map__name", "bpf_program__name", "bpf_program__section_name"):
        getattr(bpf, name).restype = ctypes.c_char_p
    return bpf


def members(bpf: ctypes.CDLL, kind: str, obj: ctypes.c_void_p) -> list[ctypes.c_void_p]:
    """Return the maps or the programs of an object, in the order in which the loader numbers them."""
    step = getattr(bpf, f"bpf_object__next_{kind}")
    found: list[ctypes.c_void_p] = []
    current = step(obj, None)
    while current:
        found.append(ctypes.c_void_p(current))
        current = step(obj, ctypes.c_void_p(current))
    return found


def build(source: Path, target: Path) -> None:
    """Write the blob of one object file."""
    bpf = library()
    obj = ctypes.c_void_p(bpf.bpf_object__open_file(str(source).encode(), None))
    if not obj.value:
        sys.exit(f"{source}: libbpf cannot open it")
    options = Options(sz=ctypes.sizeof(Options))
    if bpf.bpf_object__gen_loader(obj, ctypes.byref(options)) or bpf.bpf_object__load(obj):
        sys.exit(f"{source}: libbpf cannot generate a loader")
    payload = bytearray()

    def store(address: int | None, size: int) -> list[int]:
        place = [len(payload), size]
        payload.extend(ctypes.string_at(address, size) if address else bytes(size))
        payload.extend(bytes(-len(payload) % 8))
        return place

    def describe_map(item: ctypes.c_void_p) -> dict[str, Any]:
        size = ctypes.c_size_t()
        initial = bpf.bpf_map__initial_value(item, ctypes.byref(size))
        return {
            "name": bpf.bpf_map__name(item).decode(),
            "type": bpf.bpf_map__type(item),
            "key_size": bpf.bpf_map__key_size(item),
            "value_size": bpf.bpf_map__value_size(item),
            "max_entries": bpf.bpf_map__max_entries(item),
            "initial": store(initial, size.value) if initial else None,
        }

    def describe_program(item: ctypes.c_void_p) -> dict[str, Any]:
        return {
            "name": bpf.bpf_program__name(item).decode(),
            "section": bpf.bpf_program__section_name(item).decode(),
            "type": bpf.bpf_program__type(item),
            "attach_type": bpf.bpf_program__expected_attach_type(item),
        }

    header = {
        "name": source.name.removesuffix(".bpf.o"),
        "maps": [describe_map(item) for item in members(bpf, "map", obj)],
        "programs": [describe_program(item) for item in members(bpf, "program", obj)],
        "data": store(options.data, options.data_sz),
        "insns": store(options.insns, options.insns_sz),
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    target.write_bytes(MAGIC + struct.pack("<I", len(text)) + text + payload)


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
