"""A piece of installed software."""

from msgspec import Struct


class Package(Struct, frozen=True):
    """One installed package as its own database describes it."""

    name: str
    version: str
    ecosystem: str
    """The ecosystem's name in OSV, with the release where it has one: ``Debian:12``, ``Alpine:v3.19``, ``PyPI``."""
    purl: str = ""
    source_name: str = ""
    """The source package that built it, where the ecosystem has such; advisories of Debian and Alpine name these."""
    source_version: str = ""
    architecture: str = ""
    path: str = ""
    """The file in the image that says so."""
    layer: int = -1
    """Which layer of the image brought it, 0 is the base; -1: not known."""
