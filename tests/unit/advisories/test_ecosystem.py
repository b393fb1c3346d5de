import pytest

from pratique.advisories.ecosystem import canonical, concerns_kernel, family, package_name, scheme, subject
from pratique.advisories.versions import Scheme
from pratique.model import Package


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("Ubuntu:22.04:LTS", "Ubuntu:22.04"),
        ("Ubuntu:23.10", "Ubuntu:23.10"),
        ("Ubuntu:Pro:16.04:LTS", "Ubuntu:Pro:16.04"),
        ("Ubuntu:Pro:FIPS:20.04:LTS", "Ubuntu:Pro:FIPS:20.04:LTS"),
        ("Alpine:v3.19", "Alpine:v3.19"),
        ("Alpine:3.19.1", "Alpine:v3.19"),
        ("Debian:12", "Debian:12"),
        ("Debian:12.5", "Debian:12"),
        ("Debian:3.1", "Debian:3.1"),
        ("PyPI", "PyPI"),
    ],
)
def test_releases_have_one_spelling(written: str, stored: str) -> None:
    assert canonical(written) == stored
    assert canonical(stored) == stored


@pytest.mark.parametrize(
    ("ecosystem", "order"),
    [
        ("Debian:12", Scheme.DEB),
        ("Ubuntu:22.04", Scheme.DEB),
        ("Alpine:v3.19", Scheme.APK),
        ("PyPI", Scheme.PEP440),
        ("npm", Scheme.SEMVER),
        ("Maven", Scheme.GENERIC),
    ],
)
def test_each_ecosystem_has_its_order(ecosystem: str, order: Scheme) -> None:
    assert scheme(ecosystem) is order


def test_python_names_are_normalised_and_npm_names_are_not() -> None:
    assert package_name("PyPI", "Zope.Interface__x") == "zope-interface-x"
    assert package_name("npm", "@Scope/Some_Name") == "@Scope/Some_Name"


def test_advisories_speak_of_the_source_package_with_its_own_version() -> None:
    binary = Package("libgcc-s1", "12.2.0-14", "Debian:12", source_name="gcc-12", source_version="12.2.0-14+x")
    assert subject(binary) == ("gcc-12", "12.2.0-14+x")
    assert subject(Package("bash", "5.2-1", "Debian:12")) == ("bash", "5.2-1")


def test_family_is_the_ecosystem_without_release() -> None:
    assert family("Ubuntu:Pro:16.04") == "Ubuntu"
    assert family("PyPI") == "PyPI"


@pytest.mark.parametrize(
    ("name", "source", "only_text"),
    [
        ("linux-libc-dev", "linux", True),
        ("linux-headers-6.1.0-18-amd64", "linux", True),
        ("linux-hwe-6.5-headers-6.5.0-14", "linux-hwe-6.5", True),
        ("linux-image-6.1.0-18-amd64", "linux-signed-amd64", False),
        ("linux-firmware", "linux-firmware", False),
        ("linux-libc-dev", "", False),
        ("libc6", "glibc", False),
    ],
)
def test_headers_of_the_kernel_are_told_from_what_runs(name: str, source: str, only_text: bool) -> None:
    assert concerns_kernel(Package(name, "6.1.76-1", "Debian:12", source_name=source)) is only_text
