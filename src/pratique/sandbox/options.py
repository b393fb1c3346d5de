"""What a run may cost, and how it is made."""

from typing import Final

from msgspec import Struct

MIB: Final = 1 << 20


class Options(Struct, frozen=True):
    """The bounds of one run. All that the image says or does is an enemy's move until it is within these."""

    for_s: float = 60.0
    """Time from the start of its first program to its end."""
    memory_bytes: int = 512 * MIB
    """Of its processes. What it writes is held in memory too, and is counted apart as ``disk_bytes``."""
    disk_bytes: int = 256 * MIB
    """Of files that it writes."""
    files: int = 65_536
    """How many files and directories it may make."""
    pids: int = 256
    cpus: float = 1.0
    skip_sleeps: bool = True
    """Whoever wants to sleep is woken at once: see :mod:`pratique.sandbox.sleeps`."""
    max_events: int = 20_000
    """Of the sensor, and as many again of the sandbox's own instruments; further ones are only counted."""
    output_bytes: int = 64 << 10
    """How much of what it prints is kept."""
    max_image_bytes: int = 16 << 30
    """Of the files of an image that are laid out on disk."""
    command: tuple[str, ...] = ()
    """Replaces the image's entrypoint and command."""
