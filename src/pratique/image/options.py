"""The bounds within which an image is read."""

from msgspec import Struct

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30


class Options(Struct, frozen=True):
    """What an image may cost. Everything an image says about itself is an enemy's claim until it is within these."""

    max_layers: int = 512
    max_document_bytes: int = 8 * MIB
    """One JSON document: manifest, index or configuration."""
    max_members: int = 20_000
    """Members of an archive, or files of a layout, that hold an image."""
    max_entries: int = 1_000_000
    """Tar entries over all layers."""
    max_image_bytes: int = 64 * GIB
    """Uncompressed bytes over all layers, and the size of an export that is spooled."""
    max_ratio: int = 200
    """Uncompressed to compressed bytes of all layers, asked once more than ``free_inflate_bytes`` came out."""
    free_inflate_bytes: int = GIB
    max_path_bytes: int = 4096
    """Linux' PATH_MAX: a longer path cannot be opened in a container."""
    max_path_depth: int = 128
    max_symlinks: int = 40
    """Linux' MAXSYMLINKS."""
    max_extended_header_bytes: int = MIB
    """PAX records or a GNU long name in front of one entry."""
    max_sparse_segments: int = 65_536
    max_tree_bytes: int = 320 * MIB
    """What the merged tree may take of the memory: nodes (directories that no entry names as well), their paths, link
    targets and sparse maps."""
    max_unread: int = 1_000
    """Located complaints that are kept; more of them add nothing."""
    deadline_s: float = 600.0
    """For opening the image; its analysis has a deadline of its own."""
    spool_dir: str = ""
    """Where layers are inflated to, as files without a name; empty: ``TMPDIR``, else ``/var/tmp``, since ``/tmp`` is
    often memory."""
    min_free_bytes: int = GIB
    """What is left free of the file system that is spooled to, whatever an image would need."""
