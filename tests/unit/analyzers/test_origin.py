"""Which layer brought a package, and what the programs of an image hold."""

import hashlib
from pathlib import Path

from pratique.analyzers import Options, analyze, take_programs, with_layers
from pratique.image import open_image
from tests.unit.image.archives import archive, entry, hardlink, tar, write

RELEASE = entry("etc/os-release", b"ID=debian\nVERSION_ID=12\n")
METADATA = "usr/lib/python3/dist-packages/flask-2.0.1.dist-info/METADATA"


def status(**packages: str) -> bytes:
    stanzas = (
        f"Package: {name}\nStatus: install ok installed\nVersion: {version}\n" for name, version in packages.items()
    )
    return entry("var/lib/dpkg/status", "\n".join(stanzas).encode())


def origins(folder: Path, *layers: bytes) -> dict[str, int]:
    with open_image(write(archive(list(layers)), folder)) as image:
        return {package.name: package.layer for package in with_layers(image, analyze(image).packages)}


def test_package_came_with_the_layer_since_which_the_database_has_it(tmp_path: Path) -> None:
    layers = (
        tar(RELEASE, status(bash="5.2", openssl="3.0.7")),
        tar(status(bash="5.2", openssl="3.0.7", curl="8.0")),
        tar(entry("srv/app", b"x")),
        tar(status(bash="5.2", openssl="3.0.9", curl="8.0")),
    )
    assert origins(tmp_path, *layers) == {"bash": 0, "curl": 1, "openssl": 3}


def test_package_that_was_removed_between_came_with_the_layer_that_brought_it_back(tmp_path: Path) -> None:
    layers = (tar(RELEASE, status(curl="8.0")), tar(status(bash="5")), tar(status(bash="5", curl="8.0")))
    assert origins(tmp_path, *layers) == {"curl": 2, "bash": 1}


def test_package_with_a_file_of_its_own_came_with_it(tmp_path: Path) -> None:
    layers = (tar(RELEASE), tar(entry(METADATA, b"Metadata-Version: 2.1\nName: flask\nVersion: 2.0.1\n")))
    assert origins(tmp_path, *layers) == {"flask": 1}


def test_programs_are_told_by_content_and_layer(tmp_path: Path) -> None:
    layers = [
        tar(
            entry("usr/bin/tool", b"tool", mode=0o755),
            hardlink("usr/bin/twin", "usr/bin/tool"),
            entry("usr/lib/libx.so.1", b"library"),
            entry("etc/passwd", b"root"),
            entry("usr/bin/gone", b"gone", mode=0o755),
        ),
        tar(entry("usr/bin/.wh.gone"), entry("srv/run.sh", b"echo")),
    ]
    with open_image(write(archive(layers), tmp_path)) as image:
        found = take_programs(image)
    assert {(one.path, one.layer, one.sha256) for one in found.programs} == {
        ("usr/bin/tool", 0, hashlib.sha256(b"tool").digest()),
        ("usr/bin/twin", 0, hashlib.sha256(b"tool").digest()),
        ("usr/lib/libx.so.1", 0, hashlib.sha256(b"library").digest()),
        ("srv/run.sh", 1, hashlib.sha256(b"echo").digest()),
    }
    assert not found.partial


def test_program_that_is_too_large_makes_the_image_not_wholly_looked_into(tmp_path: Path) -> None:
    with open_image(write(archive([tar(entry("bin/a", b"12345", mode=0o755))]), tmp_path)) as image:
        found = take_programs(image, Options(max_file_bytes=4))
    assert (found.programs, found.partial) == ((), True)
