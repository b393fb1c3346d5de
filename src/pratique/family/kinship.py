"""Who is kin of whom, by how much, and why."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from pratique.family.element import Elements, weight
from pratique.family.fingerprint import Fingerprint
from pratique.family.own import Own
from pratique.model import ImageId

KIN_SHARE: Final = 0.5
"""So much of what is a condemned image's own makes another image its kin."""
KIN_RECIPE: Final = 0.7
"""So much of a condemned image's command does as well, where it says enough to be told from others."""
_TELLING_SHINGLES: Final = 6
_MIN_WEIGHT: Final = 8


class Likeness(Struct, frozen=True):
    """How two images compare."""

    of_one: float
    """The share of the first one's own content that the second has, by weight."""
    of_other: float
    """The share of the second one's own content that the first has."""
    common: int
    """Elements in common."""
    recipe: float
    """The share of the first one's command that the second has."""


class Marrow(Struct, frozen=True):
    """What is a condemned image's own, and so tells its kin."""

    image: ImageId
    name: str
    reason: str
    own: Own
    shingles: frozenset[int]
    """Features of its command that no innocent image has."""
    command: tuple[str, ...]


class Kin(Struct, frozen=True):
    """A verdict: an image is kin of a condemned one."""

    condemned: ImageId
    name: str
    """The condemned image's, for people."""
    reason: str
    """Why that one was condemned."""
    share: float
    by: str
    """``content`` or ``command``."""

    @property
    def text(self) -> str:
        """One line for people."""
        what = "of its own content" if self.by == "content" else "of the command that it runs"
        digits = self.condemned.removeprefix("sha256:")[:12]
        return f"kin of condemned image {self.name} ({digits}): {self.share:.0%} {what}; condemned for: {self.reason}"


def marrow(fingerprint: Fingerprint, own: Own, innocent_shingles: frozenset[int], *, name: str, reason: str) -> Marrow:
    """Return what tells the kin of a condemned image.

    :param own: what :func:`pratique.family.own_elements` gives
    :param innocent_shingles: features of the recipes of innocent images
    """
    recipe = fingerprint.recipe
    return Marrow(fingerprint.image, name, reason, own, recipe.features() - innocent_shingles, recipe.command)


def find_kin(fingerprint: Fingerprint, condemned: Iterable[Marrow]) -> Kin | None:
    """Return of which condemned image this one is the nearest kin, or None.

    It is the share of the *condemned* image that counts: whatever junk is added to a copy changes nothing.
    """
    elements, recipe = fingerprint.elements(), fingerprint.recipe
    features = recipe.features()
    nearest: Kin | None = None
    for one in condemned:
        if one.image == fingerprint.image:
            continue
        kin = _kin(elements, features, one, runs_the_same=recipe.command == one.command)
        if kin is not None and (nearest is None or kin.share > nearest.share):
            nearest = kin
    return nearest


def _kin(elements: Elements, features: frozenset[int], one: Marrow, *, runs_the_same: bool) -> Kin | None:
    content = share_of(one.own.elements, elements) if weight(one.own.elements) >= _MIN_WEIGHT else 0.0
    if content >= KIN_SHARE and (one.own.sure or (runs_the_same and share_of(one.own.top, elements) >= KIN_SHARE)):
        return Kin(one.image, one.name, one.reason, content, "content")
    if len(one.shingles) >= _TELLING_SHINGLES:
        command = len(one.shingles & features) / len(one.shingles)
        if command >= KIN_RECIPE:
            return Kin(one.image, one.name, one.reason, command, "command")
    return None


def compare(one: Fingerprint, own: Own, other: Fingerprint, other_own: Own) -> Likeness:
    """Compare two images by what is their own; an image of one layer, which may be just a base, has nothing."""
    ours = frozenset() if own.lowest else own.elements
    theirs = frozenset() if other_own.lowest else other_own.elements
    features, other_features = one.recipe.features(), other.recipe.features()
    return Likeness(
        of_one=share_of(ours, other.elements()),
        of_other=share_of(theirs, one.elements()),
        common=len(ours & other.elements()),
        recipe=len(features & other_features) / len(features) if features else 0.0,
    )


def succession(old: Fingerprint, old_own: Own, new: Fingerprint, new_own: Own) -> float:
    """Return how much an image is a new version of another, 0 to 1.

    Both ways count, so that neither a fragment nor an image with much added is a new version. It has to run the same
    program; where one of the two may be just a base, the whole command has to be the same.
    """
    sure = old_own.sure and new_own.sure
    same = old.recipe.program == new.recipe.program if sure else old.recipe.command == new.recipe.command
    if not same or not old.recipe.program:
        return 0.0
    return min(share_of(old_own.elements, new.elements()), share_of(new_own.elements, old.elements()))


def share_of(own: Elements, elements: Elements) -> float:
    """Return the share, by weight, of ``own`` that is among ``elements``; 0 of nothing."""
    whole = weight(own)
    return weight(own & elements) / whole if whole else 0.0
