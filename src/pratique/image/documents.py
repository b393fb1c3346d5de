"""The JSON documents of an image.

Sources: OCI image-spec 1.1 (index, manifest, config), Docker image specification v1.2 (``manifest.json``).
"""

import hashlib
import json
import re
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct, field

from pratique.errors import ImageError

DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_T = TypeVar("_T")


class Descriptor(Struct, frozen=True):
    """A pointer to a blob."""

    digest: str
    media_type: str = field(default="", name="mediaType")
    platform: "Platform | None" = None
    annotations: dict[str, str] | None = None


class Platform(Struct, frozen=True):
    """What an image of an index is for."""

    architecture: str = ""
    os: str = ""


class Manifest(Struct, frozen=True):
    """An OCI index or manifest; which one is told by what it holds."""

    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] | None = None
    manifests: tuple[Descriptor, ...] | None = None


class ArchiveEntry(Struct, frozen=True, rename="pascal"):
    """One image of a docker-archive's ``manifest.json``."""

    config: str
    layers: tuple[str, ...] | None = None
    repo_tags: tuple[str, ...] | None = None


class Healthcheck(Struct, frozen=True, rename="pascal"):
    """The command that an engine runs in the container again and again."""

    test: tuple[str, ...] | None = None


class RunConfig(Struct, frozen=True, rename="pascal"):
    """How a container of the image is started, as far as it is looked at."""

    user: str | None = None
    env: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    exposed_ports: dict[str, msgspec.Raw] | None = None
    volumes: dict[str, msgspec.Raw] | None = None
    healthcheck: Healthcheck | None = None
    on_build: tuple[str, ...] | None = None
    shell: tuple[str, ...] | None = None
    working_dir: str | None = None


class HistoryEntry(Struct, frozen=True):
    """One step that made the image, as the builder claims."""

    created_by: str = ""
    empty_layer: bool = False


class RootFs(Struct, frozen=True):
    """The layers, by the digest of their uncompressed bytes, base first."""

    diff_ids: tuple[str, ...] | None = None


class ImageConfig(Struct, frozen=True):
    """An image's configuration; its digest is the image id."""

    rootfs: RootFs
    config: RunConfig | None = None
    history: tuple[HistoryEntry, ...] | None = None
    architecture: str = ""
    os: str = ""
    created: str | None = None


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it was written."""


def decode(text: bytes, kind: type[_T], name: str) -> _T:
    """Decode a document.

    :raises ImageError: when it is not JSON of this shape
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeDecodeError) as error:
        msg = f"{name} is not a valid document of an image: {' '.join(str(error).split())[:200]}"
        raise ImageError(msg) from error


def decode_config(text: bytes, name: str) -> ImageConfig:
    """Decode an image's configuration.

    Engines match field names without regard to case and merge what stands twice; so a field that is looked at must
    stand there once, and be spelled as everybody spells it.

    :raises ImageError: when it is not such a document
    """
    config = decode(text, ImageConfig, name)
    outer = json.loads(text, object_pairs_hook=_Pairs)
    objects: list[tuple[_Pairs, type[Struct]]] = [(outer, ImageConfig)]
    objects += [(value, RunConfig) for key, value in outer if key == "config" and isinstance(value, _Pairs)]
    for pairs, kind in objects:
        wanted = {field.encode_name.casefold(): field.encode_name for field in msgspec.structs.fields(kind)}
        spelled = [key for key, _ in pairs if key.casefold() in wanted]
        if odd := [key for key in spelled if wanted[key.casefold()] != key or spelled.count(key) > 1]:
            msg = f"{name} can be read in two ways: see {ascii(odd[0])[:60]}"
            raise ImageError(msg)
    return config


def digest_of(text: bytes) -> str:
    """Return ``sha256:<hex>`` of some bytes."""
    return f"sha256:{hashlib.sha256(text).hexdigest()}"
