"""Builds images from bytes: honest ones, and such as no honest tool writes."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BLOCK = 512


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def entry(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = "", **fields: Any) -> bytes:
    """One entry, header and data, in whatever form tarfile chooses for it."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(content), target
    for field, value in fields.items():
        setattr(info, field, value)
    data = info.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")
    return data + content + bytes(-len(content) % BLOCK)


def directory(name: str, **fields: Any) -> bytes:
    return entry(name, kind=tarfile.DIRTYPE, mode=fields.pop("mode", 0o755), **fields)


def symlink(name: str, target: str) -> bytes:
    return entry(name, kind=tarfile.SYMTYPE, target=target)


def hardlink(name: str, target: str) -> bytes:
    return entry(name, kind=tarfile.LNKTYPE, target=target)


def tar(*entries: bytes) -> bytes:
    return b"".join(entries) + bytes(2 * BLOCK)


def with_sum(header: bytes) -> bytes:
    """A header block with its checksum made right."""
    blank = header[:148] + b" " * 8 + header[156:]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]


def patched(data: bytes, at: int, value: bytes) -> bytes:
    """The first header with a field replaced."""
    return with_sum(data[:at] + value + data[at + len(value) : BLOCK]) + data[BLOCK:]


def configuration(layers: Sequence[bytes], **config: Any) -> bytes:
    """A configuration that names these (uncompressed) layers."""
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
            "history": [],
        }
    ).encode()


def archive(layers: Sequence[bytes], *, stored: Sequence[bytes] | None = None, **config: Any) -> bytes:
    """A docker-archive.

    :param stored: what stands in the archive for each layer, if not the layer itself
    """
    document = configuration(layers, **config)
    name = f"{sha256(document)[7:]}.json"
    paths = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": name, "RepoTags": ["test/image:1"], "Layers": paths}]
    return tar(
        entry(name, document),
        *(entry(path, data) for path, data in zip(paths, stored or layers, strict=True)),
        entry("manifest.json", json.dumps(manifest).encode()),
    )


def layout(layers: Sequence[bytes], *, compress: bool = True, **config: Any) -> dict[str, bytes]:
    """The files of an OCI layout."""
    blobs: dict[str, bytes] = {}

    def blob(data: bytes) -> dict[str, Any]:
        digest = sha256(data)
        blobs[f"blobs/sha256/{digest[7:]}"] = data
        return {"mediaType": "application/octet-stream", "digest": digest, "size": len(data)}

    stored = [gzip.compress(layer) if compress else layer for layer in layers]
    manifest = {"schemaVersion": 2, "config": blob(configuration(layers, **config)), "layers": list(map(blob, stored))}
    described = blob(json.dumps(manifest).encode())
    described["annotations"] = {"org.opencontainers.image.ref.name": "test/layout:1"}
    index = {"schemaVersion": 2, "manifests": [described]}
    return {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index).encode(), **blobs}


def write_layout(files: dict[str, bytes], folder: Path) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def write(data: bytes, folder: Path, name: str = "image.tar") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def python_members(data: bytes) -> list[tarfile.TarInfo]:
    """What Python's own reader sees: the oracle."""
    with tarfile.open(fileobj=io.BytesIO(data)) as reader:
        return reader.getmembers()
