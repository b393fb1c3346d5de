"""Images made from bytes: the same program gives the same layer, the same layers the same image id, on every engine.

The good: ``alpine-like/base``, ``shop/redis``, ``shop/checkout``. The bad, all harmless stand-ins: ``evil/miner``,
which looks like a miner, and ``evil/quiet``, in which there is nothing to find and which merely phones home.
"""

import hashlib
import io
import json
import secrets
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import docker

_SOURCES: Final = Path(__file__).parent / "programs"
_BUILT: Final = Path("/tmp/pratique-testbed-programs")
_APPLETS: Final = "sh cat cp chmod echo env grep head id ip ls mkdir ping ps rm sleep tail timeout touch true wget"
_CFLAGS: Final = ("-std=gnu11", "-O2", "-static", "-s")

_APK_INSTALLED: Final = """\
P:alpine-baselayout
V:3.4.3-r2
A:x86_64
L:GPL-2.0-only

P:busybox
V:1.36.1-r29
A:x86_64
L:GPL-2.0-only

"""


@dataclass(frozen=True)
class Image:
    """An image: layers as tar archives, base first, and its run configuration as in the OCI image configuration."""

    reference: str
    layers: tuple[bytes, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    created: str = "2026-01-01T00:00:00Z"

    @property
    def configuration(self) -> bytes:
        """The configuration document."""
        document = {
            "architecture": "amd64",
            "os": "linux",
            "created": self.created,
            "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], **self.config},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_sha256(layer)}" for layer in self.layers]},
            "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "testbed"} for _ in self.layers],
        }
        return json.dumps(document, separators=(",", ":")).encode()

    @property
    def id(self) -> str:
        """The image id, ``sha256:…``, as every engine with the graph-driver store will name it."""
        return f"sha256:{_sha256(self.configuration)}"

    @property
    def archive(self) -> bytes:
        """The image as ``docker save`` writes it (docker-archive)."""
        name = self.id.removeprefix("sha256:") + ".json"
        layers = {f"{_sha256(layer)}/layer.tar": layer for layer in self.layers}
        manifest = [{"Config": name, "RepoTags": [self.reference], "Layers": list(layers)}]
        return archive({name: self.configuration, **layers, "manifest.json": json.dumps(manifest).encode()})

    def load(self, client: docker.DockerClient) -> None:
        """Load it into an engine."""
        client.images.load(self.archive)


def archive(files: Mapping[str, bytes | str], *, executable: Sequence[str] = ()) -> bytes:
    """Return a tar archive; a value of type ``str`` is the target of a symbolic link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode = 0o755 if name in executable or name.endswith("/") else 0o644
            if name.endswith("/"):
                entry.type = tarfile.DIRTYPE
                tar.addfile(entry)
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@cache
def program(name: str) -> bytes:
    """Return a program of ``testbed/programs``, compiled once for each version of its source."""
    source = _SOURCES / f"{name}.c"
    built = _BUILT / f"{name}-{_sha256(source.read_bytes())[:16]}"
    if not built.exists():
        _BUILT.mkdir(exist_ok=True)
        fresh = _BUILT / f"{name}-{secrets.token_hex(4)}"
        bare = name in {"marker", "library"}
        flags = ("-nostdlib", "-static", "-s") if bare else _CFLAGS
        subprocess.run(["gcc", *flags, *(["-Wl,--entry=entry"] * (name == "library")), "-o", fresh, source], check=True)
        if name == "library":
            subprocess.run(["objcopy", "-O", "binary", "-j", ".text", fresh], check=True)
        fresh.rename(built)
    return built.read_bytes()


@cache
def base() -> Image:
    """Return the innocent base: busybox, and ``probe`` in place of curl, Python and the like."""
    files: dict[str, bytes | str] = {
        **dict.fromkeys(("bin/", "etc/", "lib/", "lib/apk/", "lib/apk/db/", "proc/", "sys/", "usr/", "usr/bin/"), b""),
        **dict.fromkeys(("tmp/", "root/", "dev/", "var/"), b""),
        "bin/busybox": Path("/bin/busybox").read_bytes(),
        **{f"bin/{applet}": "busybox" for applet in _APPLETS.split()},
        "usr/bin/probe": program("probe"),
        "etc/os-release": b'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.19.1\n',
        "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
        "lib/apk/db/installed": _APK_INSTALLED.encode(),
    }
    layer = archive(files, executable=("bin/busybox", "usr/bin/probe"))
    return Image("alpine-like/base:1", (layer,), {"Cmd": ["/bin/sh"]})


def derived(reference: str, files: Mapping[str, bytes], **config: Any) -> Image:
    """Return an image on the base with these executable files on top."""
    layer = archive(files, executable=tuple(files))
    return Image(reference, (*base().layers, layer), config)


@cache
def redis() -> Image:
    """Return ``shop/redis``."""
    return derived("shop/redis:1", {"usr/bin/redis": program("redis")}, Cmd=["/usr/bin/redis"])


@cache
def checkout() -> Image:
    """Return ``shop/checkout``; its arguments are the addresses and ports of Redis and of the payment service."""
    return derived("shop/checkout:1", {"usr/bin/checkout": program("checkout")}, Entrypoint=["/usr/bin/checkout"])


def miner(pool: str, port: int) -> Image:
    """Return an image that looks like a miner, and logs in to a pool when it starts."""
    return derived("evil/miner:1", {"usr/bin/xmrig": program("miner")}, Cmd=["/usr/bin/xmrig", pool, str(port)])


def quiet(home: str, port: int) -> Image:
    """Return an image with nothing to find in it, which phones home again and again from its start on."""
    call = f"while :; do probe tcp {home} {port} quiet-was-here; done"
    return Image("evil/quiet:1", base().layers, {"Cmd": ["/bin/sh", "-c", call]})


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
