"""The ecosystems of OSV: how their names, packages and versions are written.

Source: https://ossf.github.io/osv-schema/#defined-ecosystems
"""

import re
from typing import Final

from pratique.advisories.versions import Scheme
from pratique.model import Package

DEFAULT_FAMILIES: Final = ("Debian", "Ubuntu", "Alpine", "PyPI", "npm")
"""The ecosystems of the packages that Pratique finds in images."""

_SCHEMES: Final = {
    "Debian": Scheme.DEB,
    "Ubuntu": Scheme.DEB,
    "Echo": Scheme.DEB,
    "Alpine": Scheme.APK,
    "Chainguard": Scheme.APK,
    "Wolfi": Scheme.APK,
    "MinimOS": Scheme.APK,
    "PyPI": Scheme.PEP440,
    "npm": Scheme.SEMVER,
    "Go": Scheme.SEMVER,
    "crates.io": Scheme.SEMVER,
    "Bitnami": Scheme.SEMVER,
    "Hex": Scheme.SEMVER,
    "Pub": Scheme.SEMVER,
    "SwiftURL": Scheme.SEMVER,
}
_KERNEL_SOURCE: Final = re.compile(r"linux(-.*)?")
_KERNEL_TEXT: Final = re.compile(r"linux-(libc-dev|.*headers-|kbuild-|compiler-|source|doc)")
_PEP_503: Final = re.compile(r"[-_.]+")
_UBUNTU_RELEASE: Final = re.compile(r"(Ubuntu(?::Pro)?:[0-9]{2}\.[0-9]{2})(?::LTS)?")
_ALPINE_RELEASE: Final = re.compile(r"Alpine:v?([0-9]+\.[0-9]+)(?:\.[0-9]+)?")
_DEBIAN_RELEASE: Final = re.compile(r"(Debian:[0-9]+)(?:\.[0-9]+)?")


def family(ecosystem: str) -> str:
    """Return the ecosystem without its release: ``Debian`` for ``Debian:12``."""
    return ecosystem.partition(":")[0]


def canonical(ecosystem: str) -> str:
    """Return the one spelling under which an ecosystem is stored and looked up.

    ``Ubuntu:22.04:LTS`` → ``Ubuntu:22.04``, ``Ubuntu:Pro:16.04:LTS`` → ``Ubuntu:Pro:16.04``, ``Alpine:3.19.1`` →
    ``Alpine:v3.19``, ``Debian:12.5`` → ``Debian:12``; others stay. Debian before 4 counted releases with a point.
    """
    if match := _UBUNTU_RELEASE.fullmatch(ecosystem):
        return match[1]
    if match := _ALPINE_RELEASE.fullmatch(ecosystem):
        return f"Alpine:v{match[1]}"
    if match := _DEBIAN_RELEASE.fullmatch(ecosystem):
        return ecosystem if ecosystem.startswith("Debian:3.") else match[1]
    return ecosystem


def scheme(ecosystem: str) -> Scheme:
    """Return how versions of an ecosystem are ordered."""
    return _SCHEMES.get(family(ecosystem), Scheme.GENERIC)


def package_name(ecosystem: str, name: str) -> str:
    """Return the one spelling of a package's name: PEP 503 for PyPI, as it is elsewhere."""
    return _PEP_503.sub("-", name).lower() if ecosystem == "PyPI" else name


def concerns_kernel(package: Package) -> bool:
    """Tell whether a package only has text of the kernel's source: headers, and what builds modules.

    Its advisories are those of the kernel, but a container runs on the host's kernel and not on these files.
    """
    return bool(_KERNEL_SOURCE.fullmatch(package.source_name) and _KERNEL_TEXT.match(package.name))


def subject(package: Package) -> tuple[str, str]:
    """Return name and version by which advisories speak of a package: of its source package, if it has one."""
    return (
        package_name(package.ecosystem, package.source_name or package.name),
        package.source_version or package.version,
    )
