"""What an image is, apart from any name somebody gave it."""

from typing import NewType

from msgspec import Struct

ImageId = NewType("ImageId", str)
"""``sha256:<64 hex>``: the digest of the image's configuration, which fixes every layer (OCI image-spec, config)."""


class ImageIdentity(Struct, frozen=True):
    """An image as the engine resolved it. ``references`` are claims; only ``id`` and ``layers`` are facts."""

    id: ImageId
    references: tuple[str, ...] = ()
    """Names and tags that point at the image now. An attacker can set them; never decide by them."""
    repo_digests: tuple[str, ...] = ()
    """``repository@sha256:…`` as the engine recorded them at pull or push."""
    layers: tuple[str, ...] = ()
    """Diff ids of the layers, base first."""
    architecture: str = ""
    os: str = ""
    created: str = ""

    @property
    def name(self) -> str:
        """A name for people: the first reference, else the short id."""
        return self.references[0] if self.references else self.id.removeprefix("sha256:")[:12]
