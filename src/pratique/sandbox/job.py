"""What crosses between :func:`pratique.sandbox.run` and the keeper of a run: one message there, one back."""

from typing import Final

from msgspec import Struct

from pratique.image import RunConfig
from pratique.model import ImageIdentity, Recording, Unread
from pratique.sandbox.options import Options

PREFIX: Final = "pratique-sandbox-"
"""Of every cgroup, directory of pins and working directory."""


class Job(Struct, frozen=True):
    """One run."""

    name: str
    """``PREFIX`` and what makes it unique: see :mod:`pratique.sandbox.leftovers`."""
    container: str
    """64 hexadecimal digits."""
    tree: str
    """The directory in which the image is laid out."""
    first_id: int
    """The user id on the host that is 0 in the container; 65,536 follow. Group ids are the same."""
    image: ImageIdentity
    config: RunConfig
    options: Options
    unread: tuple[Unread, ...] = ()


class Outcome(Struct, frozen=True):
    """What became of it: a recording, or why this host could not."""

    recording: Recording | None = None
    error: str = ""
    hint: str = ""
