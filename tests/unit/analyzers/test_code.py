"""Which files are a package's code."""

from pathlib import Path

from pratique.analyzers import Options, analyze, find_code
from pratique.image import open_image
from pratique.model import ImageCode
from tests.unit.image.archives import archive, entry, symlink, tar, write

STATUS = b"Package: libssl3\nStatus: install ok installed\nSource: openssl\nVersion: 3.0\nArchitecture: amd64\n\n"
OS_RELEASE = b'ID=debian\nVERSION_ID="12"\n'


def code(folder: Path, *entries: bytes, options: Options | None = None) -> ImageCode:
    path = write(archive([tar(*entries)]), folder)
    with open_image(path) as image:
        return find_code(image, analyze(image).packages, options)


def paths(found: ImageCode) -> dict[str, tuple[str, ...]]:
    return {package.name: package.paths for package in found.packages}


def test_debian_packages_by_their_lists_with_links_resolved(tmp_path: Path) -> None:
    found = code(
        tmp_path,
        entry("etc/os-release", OS_RELEASE),
        entry("var/lib/dpkg/status", STATUS),
        entry("var/lib/dpkg/info/libssl3:amd64.list", b"/.\n/lib/x/libssl.so.3\n/usr/share/doc/libssl3/copyright\n"),
        symlink("lib", "usr/lib"),
        entry("usr/lib/x/libssl.so.3", b"\x7fELF"),
        entry("usr/share/doc/libssl3/copyright", b"free"),
    )
    assert paths(found) == {"libssl3": ("usr/lib/x/libssl.so.3",)}
    assert found.packages[0].source == "openssl"


def test_python_packages_by_their_records(tmp_path: Path) -> None:
    record = b"pkg/__init__.py,,\n../../../bin/tool,,\npkg-1.dist-info/METADATA,,\n../../../../../etc/passwd,,\n"
    found = code(
        tmp_path,
        entry("usr/lib/site/pkg-1.dist-info/METADATA", b"Name: pkg\nVersion: 1\n", mode=0o755),
        entry("usr/lib/site/pkg-1.dist-info/RECORD", record, mode=0o755),
        entry("usr/lib/site/pkg/__init__.py", b""),
        entry("bin/tool", b"#!/usr/bin/python3\n", mode=0o755),
        entry("etc/passwd", b"root"),
    )
    assert paths(found) == {"pkg": ("bin/tool", "usr/lib/site/pkg/__init__.py")}


def test_node_packages_by_their_folders_without_the_packages_inside(tmp_path: Path) -> None:
    found = code(
        tmp_path,
        entry("app/node_modules/left/package.json", b'{"name": "left", "version": "1.0.0"}', mode=0o755),
        entry("app/node_modules/left/lib/index.js", b"1"),
        entry("app/node_modules/left/README.md", b"1"),
        entry("app/node_modules/left/node_modules/right/package.json", b'{"name": "right", "version": "2.0.0"}'),
        entry("app/node_modules/left/node_modules/right/index.mjs", b"1"),
    )
    assert paths(found) == {
        "left": ("app/node_modules/left/lib/index.js",),
        "right": ("app/node_modules/left/node_modules/right/index.mjs",),
    }


def test_broken_and_missing_lists_give_no_code(tmp_path: Path) -> None:
    found = code(
        tmp_path,
        entry("usr/lib/site/pkg-1.dist-info/METADATA", b"Name: pkg\nVersion: 1\n"),
        entry("usr/lib/site/pkg-1.dist-info/RECORD", b'"' + b"x" * 200_000 + b"\n\xff\xfe\x00,,\n"),
        entry("etc/os-release", OS_RELEASE),
        entry("var/lib/dpkg/status", STATUS),
    )
    assert found.packages == ()


def test_time_that_is_up_ends_it(tmp_path: Path) -> None:
    entries = [
        part
        for name in ("a", "b")
        for part in (
            entry(f"node_modules/{name}/package.json", f'{{"name": "{name}", "version": "1.0.0"}}'.encode()),
            entry(f"node_modules/{name}/index.js", b"1"),
        )
    ]
    assert len(code(tmp_path, *entries).packages) == 2
    assert len(code(tmp_path, *entries, options=Options(deadline_s=-1)).packages) == 1
