"""Package databases of each kind, honest and broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.analyzers.base import Fact
from pratique.analyzers.catalogue import CATALOGUE
from pratique.analyzers.distribution import Distribution, parse_os_release
from pratique.analyzers.packages.apk import Apk
from pratique.analyzers.packages.dpkg import Dpkg
from pratique.analyzers.packages.node import Node
from pratique.analyzers.packages.python import Python
from pratique.image import Kind
from pratique.image import Node as File
from pratique.model import Package, Unread
from tests.unit.analyzers.context import context, facts

DEBIAN: dict[str, bytes | str] = {
    "usr/lib/os-release": b'ID=debian\nVERSION_ID="12"\n',
    "etc/os-release": "../usr/lib/os-release",
}
STATUS = b"""\
Package: libssl3
Status: install ok installed
Source: openssl (3.0.11-1~deb12u2)
Architecture: amd64
Version: 3.0.11-1~deb12u2+b1
Description: a
 Package: not-a-field
 .

Package: gone
Status: deinstall ok config-files
Version: 1

Package: half
Status: install ok half-configured
Version: 1:2-3
Source: whole
"""


def packages(found: list[Fact]) -> list[Package]:
    return [fact for fact in found if isinstance(fact, Package)]


def unread(found: list[Fact]) -> list[Unread]:
    return [fact for fact in found if isinstance(fact, Unread)]


def test_dpkg_gives_packages_that_are_there_with_their_source() -> None:
    first, second = packages(facts(Dpkg, {**DEBIAN, "var/lib/dpkg/status": STATUS}))
    assert first == Package(
        name="libssl3",
        version="3.0.11-1~deb12u2+b1",
        ecosystem="Debian:12",
        purl="pkg:deb/debian/libssl3@3.0.11-1~deb12u2%2Bb1?arch=amd64&distro=debian-12",
        source_name="openssl",
        source_version="3.0.11-1~deb12u2",
        architecture="amd64",
        path="var/lib/dpkg/status",
    )
    assert (second.name, second.source_name, second.source_version) == ("half", "whole", "1:2-3")


def test_dpkg_of_distroless_images_is_read_without_checksums() -> None:
    files = {**DEBIAN, "var/lib/dpkg/status.d/base": b"Package: base\nVersion: 1\n"}
    files["var/lib/dpkg/status.d/base.md5sums"] = b"0  etc/x\n"
    assert [package.name for package in packages(facts(Dpkg, files))] == ["base"]


def test_dpkg_behind_a_symlink_is_found_once() -> None:
    files: dict[str, bytes | str] = {"opt/dpkg/status": STATUS, "var/lib/dpkg": "/opt/dpkg"}
    assert [package.path for package in packages(facts(Dpkg, files))] == ["opt/dpkg/status"] * 2


def test_dpkg_elsewhere_is_no_database() -> None:
    assert facts(Dpkg, {"srv/var/lib/dpkg/status": STATUS}) == []


@pytest.mark.parametrize(
    "entry", [b"Package: a\n", b"Version: 1\n", b"Package: a b\nVersion: 1\n", b"Package: a\x1b\nVersion: 1\n"]
)
def test_dpkg_entry_without_name_or_version_is_unread(entry: bytes) -> None:
    found = facts(Dpkg, {"var/lib/dpkg/status": entry + b"\nPackage: good\nVersion: 1\n"})
    assert [package.name for package in packages(found)] == ["good"]
    assert len(unread(found)) == 1


def test_ubuntu_and_alpine_name_their_ecosystem() -> None:
    ubuntu = {"etc/os-release": b"ID=ubuntu\nVERSION_ID='22.04'\n", "var/lib/dpkg/status": STATUS}
    assert {package.ecosystem for package in packages(facts(Dpkg, ubuntu))} == {"Ubuntu:22.04"}
    database = b"C:Q1\nP:libcrypto3\nV:3.1.4-r1\nA:x86_64\no:openssl\nF:lib\nR:x\n\nP:musl\nV:1.2-r0\n\n\n"
    alpine = {"etc/os-release": b"ID=alpine\nVERSION_ID=3.19.1\n", "lib/apk/db/installed": database}
    assert packages(facts(Apk, alpine)) == [
        Package(
            name="libcrypto3",
            version="3.1.4-r1",
            ecosystem="Alpine:v3.19",
            purl="pkg:apk/alpine/libcrypto3@3.1.4-r1?arch=x86_64&distro=alpine-3.19.1",
            source_name="openssl",
            source_version="3.1.4-r1",
            architecture="x86_64",
            path="lib/apk/db/installed",
        ),
        Package(
            name="musl",
            version="1.2-r0",
            ecosystem="Alpine:v3.19",
            purl="pkg:apk/alpine/musl@1.2-r0?distro=alpine-3.19.1",
            source_name="musl",
            source_version="1.2-r0",
            path="lib/apk/db/installed",
        ),
    ]


def test_python_name_is_normalised() -> None:
    files = {
        "usr/lib/python3/site-packages/Foo_Bar-1.0.dist-info/METADATA": b"Name: Foo_.Bar\nVersion: 1.0\n\nName: no\n",
        "opt/old-2.egg-info/PKG-INFO": b"Metadata-Version: 1\nName: old\nVersion: 2\n",
        "opt/single-3.egg-info": b"Name: single\nVersion: 3\n",
    }
    assert {(package.name, package.version, package.purl) for package in packages(facts(Python, files))} == {
        ("foo-bar", "1.0", "pkg:pypi/foo-bar@1.0"),
        ("old", "2", "pkg:pypi/old@2"),
        ("single", "3", "pkg:pypi/single@3"),
    }


def test_python_package_that_dpkg_owns_is_left_to_dpkg() -> None:
    path = "usr/lib/python3/dist-packages/six-1.16.0.egg-info/PKG-INFO"
    owned = {path: b"Name: six\nVersion: 1.16.0\n", "var/lib/dpkg/info/python3-six.list": f"/.\n/{path}\n".encode()}
    assert facts(Python, owned) == []
    assert len(facts(Python, {path: owned[path]})) == 1


def test_python_metadata_without_a_version_is_unread() -> None:
    assert len(unread(facts(Python, {"a.dist-info/METADATA": b"Name: a\n"}))) == 1


def test_node_packages_are_those_below_node_modules() -> None:
    manifest = b'{"name": "%b", "version": "1.2.3", "main": "x.js"}'
    files = {
        "srv/package.json": manifest % b"project",
        "srv/node_modules/left-pad/package.json": manifest % b"left-pad",
        "srv/node_modules/@babel/core/package.json": b"\xef\xbb\xbf" + manifest % b"@babel/core",
        "srv/node_modules/odd/package.json": b'{"name": ["odd"], "version": 1}',
        "srv/node_modules/left-pad/esm/package.json": b'{"type": "module"}',
        "srv/node_modules/empty/package.json": b'{"type": "module"}',
        "usr/lib/node_modules/npm/package.json": manifest % b"npm",
        "usr/share/code/extensions/x/package.json": manifest % b"not-npm",
    }
    assert {(package.name, package.purl) for package in packages(facts(Node, files))} == {
        ("left-pad", "pkg:npm/left-pad@1.2.3"),
        ("@babel/core", "pkg:npm/%40babel/core@1.2.3"),
        ("npm", "pkg:npm/npm@1.2.3"),
    }


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 100_000, b""])
def test_broken_package_json_is_unread(content: bytes) -> None:
    assert len(unread(facts(Node, {"node_modules/a/package.json": content or b" "}))) == 1


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        (b"ID=debian\nVERSION_ID=12\n", Distribution("debian", "12")),
        (b'ID="rocky"\nVERSION_ID="9.3"\n', Distribution("rocky", "9.3")),
        (b"NAME=x\nID=debian\n", Distribution("debian", "")),
        (b"ID=../x\nVERSION_ID=1;2\n", Distribution()),
        (b"\xff\x00", Distribution()),
    ],
)
def test_os_release_is_read_in_plain_words(text: bytes, distribution: Distribution) -> None:
    assert parse_os_release(text) == distribution


@pytest.mark.parametrize(
    ("distribution", "ecosystem"),
    [
        (Distribution("debian", "12.5"), "Debian:12"),
        (Distribution("debian"), "Debian"),
        (Distribution("ubuntu", "24.04"), "Ubuntu:24.04"),
        (Distribution("alpine", "3.20.0_alpha1"), "Alpine:v3.20"),
        (Distribution("void", "1"), "void"),
    ],
)
def test_ecosystem_is_that_of_osv(distribution: Distribution, ecosystem: str) -> None:
    assert distribution.ecosystem == ecosystem


@given(st.binary(max_size=300), st.sampled_from(sorted(CATALOGUE)))
def test_any_bytes_give_facts_and_no_exception(content: bytes, name: str) -> None:
    analyzer = CATALOGUE[name](context())
    for fact in analyzer.analyze(File("a/node_modules/b/package.json", Kind.FILE, 0, size=1), content):
        assert isinstance(fact, Fact)


def test_licences_are_what_packages_declare() -> None:
    apk = {"lib/apk/db/installed": b"P:musl\nV:1\nL:MIT AND BSD-2-Clause\n\nP:odd\nV:1\nL:\x1b[31m\n\nP:none\nV:1\n\n"}
    assert [package.license for package in packages(facts(Apk, apk))] == ["MIT AND BSD-2-Clause", "", ""]
    python = {
        "a.dist-info/METADATA": b"Name: a\nVersion: 1\nLicense: old words\nLicense-Expression: Apache-2.0 OR MIT\n",
        "b.dist-info/METADATA": b"Name: b\nVersion: 1\nLicense: BSD 3-Clause\n",
        "c.dist-info/METADATA": b"Name: c\nVersion: 1\nLicense: UNKNOWN\n",
    }
    assert {package.license for package in packages(facts(Python, python))} == {"Apache-2.0 OR MIT", "BSD 3-Clause", ""}
    node = {
        "node_modules/a/package.json": b'{"name": "a", "version": "1", "license": "ISC"}',
        "node_modules/b/package.json": b'{"name": "b", "version": "1", "license": {"type": "MIT"}}',
    }
    assert {package.license for package in packages(facts(Node, node))} == {"ISC", ""}
