"""Finds the one image that a container holds, from its documents, and verifies those."""

import platform
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from pratique.errors import ImageError
from pratique.image.containers import Container
from pratique.image.documents import (
    DIGEST,
    ArchiveEntry,
    Descriptor,
    ImageConfig,
    Manifest,
    decode,
    decode_config,
    digest_of,
)
from pratique.image.options import Options
from pratique.image.region import Region
from pratique.text import printable

_MAX_INDEX_DEPTH: Final = 3
_MAX_IMAGES: Final = 100
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_NAME_ANNOTATIONS: Final = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


class Parts(Struct, frozen=True):
    """An image in a container."""

    config: ImageConfig
    config_digest: str
    layers: tuple[tuple[Region, str], ...]
    """(bytes as they are stored, diff id), base first."""
    references: tuple[str, ...]
    digests: frozenset[str]


class _Candidate(Struct, frozen=True):
    """An image manifest that an index led to."""

    manifest: Manifest
    architecture: str
    digests: tuple[str, ...]
    names: tuple[str, ...]


def locate(container: Container, options: Options) -> Parts:
    """Find the image.

    A docker-archive of a recent engine is an OCI layout as well; if the two do not mean the same image, the archive
    is refused, since a scanner and an engine could then follow different ones.

    :raises ImageError: when there is no image, more than one, or a document is broken or not what its digest says
    """
    entry = _archive_entry(container, options)
    candidates = list(_candidates(container, options))
    if entry is not None:
        return _from_archive(container, entry, candidates, options)
    if not candidates:
        msg = f"{container.name} holds no image: neither manifest.json nor index.json names one"
        raise ImageError(msg, hint="name an engine's image, a file made by 'docker save', or an OCI layout")
    return _from_layout(container, _choose(container, candidates), options)


def _from_archive(container: Container, entry: ArchiveEntry, candidates: list[_Candidate], options: Options) -> Parts:
    text = _read(container, entry.config, options)
    digest = digest_of(text)
    same = [c for c in candidates if c.manifest.config is not None and c.manifest.config.digest == digest]
    if candidates and not same:
        msg = f"{container.name} describes two images: its manifest.json and its index.json name different ones"
        raise ImageError(msg)
    references = (*(entry.repo_tags or ()), *(name for c in same for name in c.names))
    digests = frozenset({digest, *(d for c in same for d in c.digests)})
    return _parts(container, text, entry.layers or (), (references, digests), options)


def _from_layout(container: Container, chosen: _Candidate, options: Options) -> Parts:
    config = chosen.manifest.config
    assert config is not None
    text = _read(container, _blob_path(container, config), options)
    if digest_of(text) != config.digest:
        msg = f"{container.name}: the configuration is not what its digest says: {config.digest}"
        raise ImageError(msg)
    paths = tuple(_blob_path(container, layer) for layer in chosen.manifest.layers or ())
    return _parts(container, text, paths, (chosen.names, frozenset({config.digest, *chosen.digests})), options)


def _parts(
    container: Container,
    text: bytes,
    paths: tuple[str, ...],
    known: tuple[tuple[str, ...], frozenset[str]],
    options: Options,
) -> Parts:
    config = decode_config(text, f"configuration of {container.name}")
    diff_ids = config.rootfs.diff_ids or ()
    if len(diff_ids) != len(paths):
        msg = f"{container.name} has {len(paths)} layers, but its configuration names {len(diff_ids)}"
        raise ImageError(msg)
    if len(diff_ids) > options.max_layers:
        msg = f"{container.name} has {len(diff_ids)} layers, more than {options.max_layers}"
        raise ImageError(msg)
    references, digests = known
    return Parts(
        config=config,
        config_digest=digest_of(text),
        layers=tuple((_open(container, path), diff_id) for path, diff_id in zip(paths, diff_ids, strict=True)),
        references=tuple(dict.fromkeys(references)),
        digests=digests,
    )


def _archive_entry(container: Container, options: Options) -> ArchiveEntry | None:
    if container.open("manifest.json") is None:
        return None
    text = _read(container, "manifest.json", options)
    entries = decode(text, tuple[ArchiveEntry, ...], f"manifest.json of {container.name}")
    if len(entries) != 1:
        msg = f"{container.name} holds {len(entries)} images, and one is wanted"
        raise ImageError(msg, hint="save them one by one: docker save NAME -o FILE")
    return entries[0]


def _candidates(container: Container, options: Options) -> Iterator[_Candidate]:
    """Follow index.json to all image manifests that are there, attestations left out."""
    if container.open("index.json") is None:
        return
    index = decode(_read(container, "index.json", options), Manifest, f"index.json of {container.name}")
    todo: list[tuple[Descriptor, tuple[str, ...], tuple[str, ...]]]
    todo = [(descriptor, (), ()) for descriptor in index.manifests or ()]
    seen = 0
    while todo:
        descriptor, digests, names = todo.pop()
        seen += 1
        if seen > _MAX_IMAGES or len(digests) > _MAX_INDEX_DEPTH:
            msg = f"{container.name} has an index with too many images"
            raise ImageError(msg)
        platform_ = descriptor.platform
        path = _blob_path(container, descriptor)
        if (platform_ is not None and platform_.os == "unknown") or container.open(path) is None:
            continue
        text = _read(container, path, options)
        if digest_of(text) != descriptor.digest:
            msg = f"{container.name}: a manifest is not what its digest says: {descriptor.digest}"
            raise ImageError(msg)
        manifest = decode(text, Manifest, f"manifest {descriptor.digest} of {container.name}")
        digests = (*digests, descriptor.digest)
        annotations = descriptor.annotations or {}
        names = (*names, *(annotations[key] for key in _NAME_ANNOTATIONS if key in annotations))
        todo.extend((child, digests, names) for child in manifest.manifests or ())
        if manifest.config is not None:
            yield _Candidate(manifest, platform_.architecture if platform_ else "", digests, names)


def _choose(container: Container, candidates: list[_Candidate]) -> _Candidate:
    by_config = {c.manifest.config.digest: c for c in candidates if c.manifest.config is not None}
    if len(by_config) == 1:
        return candidates[0]
    machine = platform.machine()
    ours = [c for c in by_config.values() if c.architecture == _ARCHITECTURES.get(machine, machine)]
    if len(ours) == 1:
        return ours[0]
    msg = f"{container.name} holds {len(by_config)} images, and one is wanted"
    raise ImageError(msg, hint="copy one image into a layout of its own")


def _blob_path(container: Container, descriptor: Descriptor) -> str:
    if not DIGEST.fullmatch(descriptor.digest):
        msg = f"{container.name} names a blob by {descriptor.digest[:100]!r}, which is not a sha256 digest"
        raise ImageError(msg)
    return f"blobs/sha256/{descriptor.digest.removeprefix('sha256:')}"


def _open(container: Container, path: str) -> Region:
    region = container.open(path)
    if region is None:
        msg = f"{container.name} lacks {printable(path)[:200]}, which its image names"
        raise ImageError(msg)
    return region


def _read(container: Container, path: str, options: Options) -> bytes:
    region = _open(container, path)
    if region.size > options.max_document_bytes:
        msg = f"{region.name} has {region.size} bytes, more than {options.max_document_bytes}"
        raise ImageError(msg)
    return region.read(0, region.size)
