"""What an image is made of, compared with what others are made of.

In: the elements of files by layer, and recipes. Out: kin, with the share and the reason. Never: does I/O, condemns.

Ids, tags, time stamps and paths are an attacker's for free, so none of them counts. What counts is content: an image
is kin of a condemned one when it holds most of what is the condemned image's *own*, whatever else it holds. Own is
what is neither in the layers it was built upon nor in an innocent image.
"""

from pratique.family.element import (
    MAX_FILE_BYTES,
    MIN_BYTES,
    SLICE_BYTES,
    Elements,
    element,
    large_elements,
    slice_digests,
    weight,
)
from pratique.family.fingerprint import MAX_ELEMENTS, Fingerprint, sampled
from pratique.family.kinship import KIN_SHARE, Kin, Likeness, Marrow, compare, find_kin, marrow, succession
from pratique.family.own import Known, Own, common_depth, own_elements
from pratique.family.recipe import Recipe, recipe_of, shingles
from pratique.family.sketch import SKETCH_SIZE, sketch_of

__all__ = [
    "KIN_SHARE",
    "MAX_ELEMENTS",
    "MAX_FILE_BYTES",
    "MIN_BYTES",
    "SKETCH_SIZE",
    "SLICE_BYTES",
    "Elements",
    "Fingerprint",
    "Kin",
    "Known",
    "Likeness",
    "Marrow",
    "Own",
    "Recipe",
    "common_depth",
    "compare",
    "element",
    "find_kin",
    "large_elements",
    "marrow",
    "own_elements",
    "recipe_of",
    "sampled",
    "shingles",
    "sketch_of",
    "slice_digests",
    "succession",
    "weight",
]
