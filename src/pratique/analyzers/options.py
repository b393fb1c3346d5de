"""The bounds within which an image is analysed."""

from msgspec import Struct

MIB = 1 << 20


class Options(Struct, frozen=True):
    """What the analysis of one image may cost."""

    max_whole_bytes: int = 32 * MIB
    """A file that has to be parsed in one piece: a package database, a manifest."""
    max_file_bytes: int = 4096 * MIB
    """A file that is looked through in windows."""
    window_bytes: int = 16 * MIB
    overlap_bytes: int = 64 << 10
    """Shared by neighbouring windows, so that nothing shorter is missed at their border."""
    max_packages: int = 100_000
    max_findings: int = 10_000
    max_unread: int = 1_000
    deadline_s: float = 600.0
    """After it, what is left is unread."""
