"""Opens an image and merges its layers into one tree.

In: a docker-archive, an OCI layout, a spooled export of an engine. Out: a verified identity, the configuration, the
merged tree and the bytes of its files, also laid out in a directory. Never: interprets files.

A lying image is refused: the id is the digest of the configuration's bytes, and each layer must hash to the diff id
that the configuration names. An entry that cannot be placed is a located ``Unread``; a layer that is not a valid tar
is an :class:`~pratique.errors.ImageError`, since an engine would refuse it as well.
"""

from pratique.image.documents import HistoryEntry, ImageConfig, RunConfig
from pratique.image.extract import ExtractOptions, extract
from pratique.image.image import Image, open_image
from pratique.image.options import Options
from pratique.image.region import ROOM_HINT, spool_directory, write_spool
from pratique.image.tar import Kind
from pratique.image.tree import Node, Tree

__all__ = [
    "ROOM_HINT",
    "ExtractOptions",
    "HistoryEntry",
    "Image",
    "ImageConfig",
    "Kind",
    "Node",
    "Options",
    "RunConfig",
    "Tree",
    "extract",
    "open_image",
    "spool_directory",
    "write_spool",
]
