"""Whom an image is like: the nearest of all images that are known, by what is their own."""

from typing import Final

from msgspec import Struct

from pratique.errors import UsageError
from pratique.family import compare, find_kin, own_elements
from pratique.pipelines.lineage import read_lineage
from pratique.policy import Document
from pratique.store import Store

_LEAST: Final = 0.05


class Similar(Struct, frozen=True):
    """A known image, beside the one that was asked about."""

    image: str
    name: str
    share: float
    """How much of its own content the image asked about has, 0 to 1."""
    back: float
    """How much of the own content of the image asked about it has."""
    recipe: float
    """How much of the command of the image asked about it runs."""
    common: int
    """Contents in common above the base."""
    condemned: str
    """Why it is condemned, or nothing."""
    kin: bool
    """Whether that condemns the image asked about as well."""


def similar(store: Store, image_id: str, document: Document, limit: int = 20) -> list[Similar]:
    """Return the images that are most like one, the nearest first.

    :raises UsageError: when it is not known what the image is made of
    """
    one = store.families.fingerprint(image_id)
    if one is None:
        msg = f"it is not known what image {image_id.removeprefix('sha256:')[:12]} is made of"
        raise UsageError(msg, hint="'pratique scan IMAGE' finds out")
    lineage = read_lineage(store, document)
    own = own_elements(one, depth=lineage.base_depth(one.layers))
    found = []
    for other in store.families.fingerprints(store.families.candidates(one)):
        other_own = own_elements(other, depth=lineage.base_depth(other.layers))
        likeness = compare(one, own, other, other_own)
        identity = lineage.identity(other.image)
        found.append(
            Similar(
                image=other.image,
                name=identity.name if identity is not None else "",
                share=round(likeness.of_other, 4),
                back=round(likeness.of_one, 4),
                recipe=round(likeness.recipe, 4),
                common=likeness.common,
                condemned=lineage.verdicts[other.image].reason if lineage.is_condemned(other.image) else "",
                kin=find_kin(one, [marrow for marrow in lineage.marrows if marrow.image == other.image]) is not None,
            )
        )
    near = [one for one in found if max(one.share, one.back, one.recipe) >= _LEAST]
    return sorted(near, key=lambda one: (-max(one.share, one.back), -one.recipe, one.image))[:limit]
