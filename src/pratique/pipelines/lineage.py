"""What is known of all images at one moment, as far as it bears on families."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from pratique.family import Elements, Fingerprint, Known, Marrow, common_depth, marrow, own_elements
from pratique.model import ImageIdentity
from pratique.policy import Document
from pratique.store import PARDON, Condemnation, ImageRecord, Store

_MAX_CONDEMNED: Final = 1_000
"""The newest so many; beyond, an image's id is still refused, but not its kin."""
_MAX_WITNESSES: Final = 4
"""Images that are asked what is in a base that they stand on; those with the fewest layers hide the least of it."""


class Lineage(Struct, frozen=True):
    """Verdicts, what tells the kin of the condemned, and every image that is known."""

    verdicts: Mapping[str, Condemnation] = {}
    marrows: tuple[Marrow, ...] = ()
    images: Mapping[str, ImageRecord] = {}
    commands: Mapping[str, int] = {}
    by_lowest: Mapping[str, tuple[str, ...]] = {}
    """Lowest layer → the images on it."""

    def is_condemned(self, image_id: str) -> bool:
        """Tell whether an image itself is condemned."""
        verdict = self.verdicts.get(image_id)
        return verdict is not None and verdict.source != PARDON

    def identity(self, image_id: str) -> ImageIdentity | None:
        """Return what is known of an image."""
        record = self.images.get(image_id)
        return None if record is None else record.image

    def base_depth(self, layers: Sequence[str], *, before: float = math.inf) -> int:
        """Return how many of an image's lowest layers are a base: one pulled from a registry, or common to many.

        :param before: what was first seen later says nothing
        """
        others = self._near(layers, before)
        pulled = (
            len(image.layers)
            for image in others
            if image.repo_digests and len(image.layers) < len(layers) and layers[: len(image.layers)] == image.layers
        )
        known = (Known(image.layers, self.commands.get(image.id, 0)) for image in others)
        return max(common_depth(layers, known), max(pulled, default=0))

    def witnesses(self, base: Sequence[str], *, before: float) -> list[str]:
        """Return images that stand on a base, which tell what is in it.

        :param before: what was first seen later says nothing
        """
        on_it = [image for image in self._near(base, before) if image.layers[: len(base)] == tuple(base)]
        return [image.id for image in sorted(on_it, key=lambda image: len(image.layers))[:_MAX_WITNESSES]]

    def _near(self, layers: Sequence[str], before: float) -> list[ImageIdentity]:
        """Return the images on the same lowest layer that nobody condemned."""
        near = (self.images[image_id] for image_id in self.by_lowest.get(layers[0] if layers else "", ()))
        return [
            record.image for record in near if record.first_seen <= before and not self.is_condemned(record.image.id)
        ]


def read_lineage(store: Store, document: Document) -> Lineage:
    """Read it all from the store.

    Innocent is what a person vouched for: the images of the policy and the pardoned, unless they are condemned. A base
    is what was one when the verdict fell: copies that come afterwards must not make what they copy look common.

    :raises StoreError: when the store cannot be read
    """
    verdicts = {verdict.image: verdict for verdict in store.families.verdicts()}
    images: dict[str, ImageRecord] = {record.image.id: record for record in store.images()}
    by_lowest: dict[str, list[str]] = defaultdict(list)
    for image_id, record in images.items():
        by_lowest[record.image.layers[0] if record.image.layers else ""].append(image_id)
    known = Lineage(
        verdicts=verdicts,
        images=images,
        commands=store.families.commands(),
        by_lowest={layer: tuple(ids) for layer, ids in by_lowest.items()},
    )
    condemned = [image for image in verdicts if known.is_condemned(image)][:_MAX_CONDEMNED]
    if not condemned:
        return known
    prints: dict[str, Fingerprint] = {one.image: one for one in store.families.fingerprints(condemned)}
    listed = [image for entry in document.images for image in entry.ids]
    innocent = [image for image in dict.fromkeys([*listed, *verdicts]) if not known.is_condemned(image)]
    ground, commands = _ground(prints, store.families.fingerprints(innocent))
    marrows = [_marrow(one, ground[image], commands, known, store, verdicts[image]) for image, one in prints.items()]
    return msgspec.structs.replace(known, marrows=tuple(marrows))


def _ground(
    condemned: Mapping[str, Fingerprint], innocent: Iterable[Fingerprint]
) -> tuple[dict[str, set[int]], frozenset[int]]:
    """Return what each condemned image shares with innocent ones, and the features of innocent recipes."""
    elements: dict[str, Elements] = {image: one.elements() for image, one in condemned.items()}
    ground: dict[str, set[int]] = defaultdict(set)
    commands: set[int] = set()
    for other in innocent:
        theirs = other.elements()
        commands |= other.recipe.features()
        for image, ours in elements.items():
            ground[image] |= ours & theirs
    return ground, frozenset(commands)


def _marrow(
    one: Fingerprint, ground: set[int], commands: frozenset[int], known: Lineage, store: Store, verdict: Condemnation
) -> Marrow:
    """Return what tells the kin of a condemned image.

    What is in its base is nobody's own even if the image brings it once more in a layer of its own: else a bad image
    could have all refused that stand on the same base.
    """
    depth = known.base_depth(one.layers, before=verdict.at)
    if depth:
        for witness in store.families.fingerprints(known.witnesses(one.layers[:depth], before=verdict.at)):
            ground |= one.elements() & witness.elements(0, depth)
    own = own_elements(one, frozenset(ground), depth)
    image = known.identity(one.image)
    name = image.name if image is not None else one.image.removeprefix("sha256:")[:12]
    return marrow(one, own, commands, name=name, reason=verdict.reason)
