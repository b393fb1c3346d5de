"""An image laid out in a directory is what a container would see, and nothing of it lands anywhere else."""

import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.errors import ImageError
from pratique.image import ExtractOptions, extract, open_image
from pratique.model import Unread
from testbed.images import Image

FIRST = 0x6000_0000


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def layer(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def laid_out(tmp_path: Path, *layers: bytes, options: ExtractOptions | None = None) -> tuple[Path, list[Unread]]:
    archive = tmp_path / "image.tar"
    archive.write_bytes(Image("x:1", layers).archive)
    target = tmp_path / "tree"
    with open_image(archive) as image:
        return target, extract(image, target, options)


def test_owners_modes_links_and_holes_are_as_in_the_image(tmp_path: Path) -> None:
    base = layer(
        member("bin", type=tarfile.DIRTYPE, mode=0o755),
        member("bin/tool", b"#!/bin/sh\n", mode=0o4755, uid=0, gid=5),
        member("bin/same", type=tarfile.LNKTYPE, linkname="bin/tool"),
        member("bin/alias", type=tarfile.SYMTYPE, linkname="../../../bin/tool"),
        member("srv", type=tarfile.DIRTYPE, mode=0o1770, uid=101, gid=102),
        member("srv/data", b"x" * 5000, mode=0o600, uid=101, gid=70_000),
        member("srv/empty", mode=0o644),
    )
    tree, unread = laid_out(tmp_path, base, options=ExtractOptions(first_id=FIRST))
    tool = (tree / "bin/tool").stat()
    assert (stat.S_IMODE(tool.st_mode), tool.st_uid, tool.st_gid) == (0o4755, FIRST, FIRST + 5)
    assert (tree / "bin/same").stat().st_ino == tool.st_ino
    assert (tree / "bin/alias").readlink() == Path("../../../bin/tool")
    assert (tree / "bin/alias").lstat().st_uid == FIRST
    directory, data = (tree / "srv").stat(), (tree / "srv/data").stat()
    assert (stat.S_IMODE(directory.st_mode), directory.st_uid, directory.st_gid) == (0o1770, FIRST + 101, FIRST + 102)
    assert (data.st_size, data.st_uid, data.st_gid) == (5000, FIRST + 101, FIRST + 65_534)
    assert (tree / "srv/data").read_bytes() == b"x" * 5000
    assert unread == []


def test_whiteouts_and_later_layers_hold(tmp_path: Path) -> None:
    base = layer(member("a", b"old"), member("gone", b"x"), member("d/one", b"1"))
    top = layer(member("a", b"new"), member(".wh.gone"), member("d/.wh..wh..opq"), member("d/two", b"2"))
    tree, _ = laid_out(tmp_path, base, top)
    assert (tree / "a").read_bytes() == b"new"
    assert sorted(str(path.relative_to(tree)) for path in tree.rglob("*")) == ["a", "d", "d/two"]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    bystander = tmp_path / "bystander"
    bystander.mkdir()
    (bystander / "file").write_bytes(b"untouched")
    base = layer(
        member("out", type=tarfile.SYMTYPE, linkname=str(bystander)),
        member("up", type=tarfile.SYMTYPE, linkname="../bystander"),
        member("file", type=tarfile.SYMTYPE, linkname=str(bystander / "file")),
    )
    top = layer(
        member("out/new", b"evil"),
        member("up/new", b"evil"),
        member("file", b"evil"),
        member("../bystander/file", b"evil"),
        member("/../../bystander/file", b"evil"),
        member(str(bystander / "file"), b"evil"),
        member("hard", type=tarfile.LNKTYPE, linkname=str(bystander / "file")),
        member("harder", type=tarfile.LNKTYPE, linkname="../../../../etc/passwd"),
    )
    tree, unread = laid_out(tmp_path, base, top)
    assert [path.name for path in bystander.iterdir()] == ["file"]
    assert (bystander / "file").read_bytes() == b"untouched"
    assert (bystander / "file").stat().st_nlink == 1
    assert (tree / "out/new").read_bytes() == b"evil", "the directory takes the link's place"
    assert {entry.path for entry in unread} >= {"../bystander/file", "harder"}


def test_devices_are_left_out_and_told(tmp_path: Path) -> None:
    base = layer(
        member("dev/sda", type=tarfile.BLKTYPE, devmajor=8, devminor=0),
        member("srv/disk", type=tarfile.BLKTYPE, devmajor=8, devminor=0),
        member("srv/pipe", type=tarfile.FIFOTYPE),
    )
    tree, unread = laid_out(tmp_path, base)
    assert list((tree / "srv").iterdir()) == list((tree / "dev").iterdir()) == []
    assert sorted(entry.path for entry in unread) == ["srv/disk", "srv/pipe"]


def test_image_over_a_bound_or_without_room_is_an_error(tmp_path: Path) -> None:
    base = layer(member("a", b"x" * 1000), member("b", b"y" * 1000))
    with pytest.raises(ImageError, match="more than 1500 bytes"):
        laid_out(tmp_path, base, options=ExtractOptions(max_bytes=1500))
    with pytest.raises(ImageError, match="no room"):
        laid_out(tmp_path / "tree", base, options=ExtractOptions(min_free_bytes=1 << 60))


@pytest.mark.parametrize("entry", [member("a", b"x"), member("a", type=tarfile.DIRTYPE)])
def test_it_ends_when_it_is_called_off(tmp_path: Path, entry: tuple[tarfile.TarInfo, bytes]) -> None:
    archive = tmp_path / "image.tar"
    archive.write_bytes(Image("x:1", (layer(entry),)).archive)
    with open_image(archive) as image, pytest.raises(ImageError, match="called off"):
        extract(image, tmp_path / "tree", stop=lambda: True)


def test_entries_without_data_leave_inodes_to_the_host(tmp_path: Path, root: None) -> None:
    del root
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,nr_inodes=4000", "none", disk], check=True)
    try:
        folders = layer(*(member(f"d/{n}", type=tarfile.DIRTYPE) for n in range(5000)))
        with pytest.raises(ImageError, match="too few inodes"):
            laid_out(disk, folders, options=ExtractOptions(min_free_bytes=1))
        assert os.statvfs(disk).f_favail > 100
    finally:
        subprocess.run(["umount", disk], check=True)


def test_what_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    with pytest.raises(ImageError, match="File exists"):
        laid_out(tmp_path, layer(member("a", b"x")))


@pytest.mark.parametrize("target", ["", "x" * 5000])
def test_a_link_that_cannot_be_is_told(tmp_path: Path, target: str) -> None:
    tree, unread = laid_out(tmp_path, layer(member("a", type=tarfile.SYMTYPE, linkname=target), member("b", b"x")))
    assert [path.name for path in tree.iterdir()] == ["b"]
    assert [one.path for one in unread] == ["a"]


NAMES = st.lists(st.sampled_from(["a", "b", "..", ".", "", "c"]), min_size=1, max_size=4).map("/".join)
KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
TARGETS = NAMES | st.sampled_from(["/", "../../../..", "/etc/passwd", "a/../../../etc"])
MEMBERS = st.tuples(NAMES, KINDS, TARGETS)


@settings(max_examples=80)
@given(st.lists(st.lists(MEMBERS, max_size=8), min_size=1, max_size=3))
def test_no_layers_lead_out(
    tmp_path_factory: pytest.TempPathFactory, layers: list[list[tuple[str, bytes, str]]]
) -> None:
    tmp_path = tmp_path_factory.mktemp("fuzz")
    archives = [
        layer(*(member(name, type=kind, linkname=target) for name, kind, target in members)) for members in layers
    ]
    tree, _ = laid_out(tmp_path, *dict.fromkeys(archives))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.tar", "tree"]
    for directory, names, files in os.walk(tree):
        for name in (*names, *files):
            assert os.lstat(f"{directory}/{name}").st_nlink <= 40
    assert os.lstat("/etc/passwd").st_nlink == 1
