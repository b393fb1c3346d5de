"""A piece of installed software."""

from msgspec import Struct

from pratique.model.identity import ImageId


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
    license: str = ""
    """As the package declares it, most often an SPDX expression; ``""``: its database does not say."""


class PackageCode(Struct, frozen=True):
    """The files of a package that a process opens when it uses it."""

    name: str
    version: str
    ecosystem: str
    source: str
    """The source package that built it, where the ecosystem has such."""
    paths: tuple[str, ...]
    """In the image, symbolic links resolved, without a leading slash."""


class ImageCode(Struct, frozen=True):
    """The code of the packages of an image, as far as they tell which files are theirs."""

    image: ImageId
    at: float
    packages: tuple[PackageCode, ...] = ()
