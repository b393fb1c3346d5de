"""The walker sees what the engines' own reader sees, and refuses what that refuses."""

import io
import os
import shutil
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pratique.errors import ImageError
from pratique.image import Kind, Options, open_image
from pratique.image.region import Region, spool_file
from pratique.image.tar import Header, walk
from tests.conftest import cannot
from tests.unit.image.archives import BLOCK, archive, entry, hardlink, patched, symlink, tar, with_sum, write


def headers(data: bytes, options: Options | None = None) -> list[Header]:
    fd = spool_file("")
    try:
        os.write(fd, data)
        return list(walk(Region(fd, 0, len(data), "test.tar"), options or Options()))
    finally:
        os.close(fd)


def refused(data: bytes, words: str, options: Options | None = None) -> None:
    with pytest.raises(ImageError, match=words):
        headers(data, options)


NAMES = st.text(st.characters(exclude_characters="\0/", codec="utf-8"), min_size=1, max_size=80)
PATHS = st.lists(NAMES, min_size=1, max_size=6).map("/".join)
TYPES = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
KINDS = {
    tarfile.REGTYPE: Kind.FILE,
    tarfile.DIRTYPE: Kind.DIRECTORY,
    tarfile.SYMTYPE: Kind.SYMLINK,
    tarfile.LNKTYPE: Kind.HARDLINK,
    tarfile.FIFOTYPE: Kind.DEVICE,
}


@given(
    st.lists(st.tuples(PATHS, TYPES, PATHS, st.binary(max_size=1200), st.integers(0, 0o7777)), max_size=6),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
    st.integers(0, 2**31),
)
def test_walker_agrees_with_tarfile(entries: list[tuple[str, bytes, str, bytes, int]], form: int, uid: int) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as writer:
        for name, kind, target, content, mode in entries:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode, info.uid = kind, target, mode, uid
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            writer.addfile(info, io.BytesIO(content))
    data = buffer.getvalue()
    found = headers(data)
    with tarfile.open(fileobj=io.BytesIO(data)) as reader:
        members = reader.getmembers()
    assert len(found) == len(members)
    for header, member in zip(found, members, strict=True):
        assert header.path.rstrip("/") == member.name
        assert (header.kind, header.mode, header.uid) == (KINDS[member.type], member.mode, member.uid)
        if header.kind in (Kind.SYMLINK, Kind.HARDLINK):
            assert header.target == member.linkname
        if header.kind is Kind.FILE:
            assert (header.size, header.offset) == (member.size, member.offset_data)


@given(st.binary(max_size=3000))
def test_any_bytes_give_headers_or_one_error(data: bytes) -> None:
    with suppress(ImageError):
        headers(data)


SAMPLE = tar(
    entry("a" * 120, b"x" * 700, pax_headers={"comment": "y" * 50}), symlink("b", "c" * 150), hardlink("d", "b")
)


@given(st.data())
def test_altered_archive_gives_headers_or_one_error(data: st.DataObject) -> None:
    mangled = bytearray(SAMPLE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mangled) - 1))
        mangled[at] = data.draw(st.integers(0, 255))
    block = data.draw(st.integers(0, len(mangled) // BLOCK - 1)) * BLOCK
    mangled[block : block + BLOCK] = with_sum(bytes(mangled[block : block + BLOCK]))
    options = Options(max_extended_header_bytes=4096, max_sparse_segments=16)
    with suppress(ImageError):
        for header in headers(bytes(mangled), options):
            assert header.offset + (0 if header.segments is not None else header.size) <= len(mangled)


def test_long_names_of_each_form_are_joined() -> None:
    long = "/".join(["directory" * 6] * 5)
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        info = tarfile.TarInfo(long)
        info.type, info.linkname = tarfile.SYMTYPE, long[::-1]
        found = headers(info.tobuf(form) + bytes(1024))
        assert [(header.path, header.target) for header in found] == [(long, long[::-1])]
    short = "p" * 100 + "/" + "n" * 90
    assert headers(tarfile.TarInfo(short).tobuf(tarfile.USTAR_FORMAT) + bytes(1024))[0].path == short


def test_name_that_is_not_utf8_is_kept_apart() -> None:
    found = headers(tar(patched(entry("name"), 0, b"\xff\xfe\0"), entry("\\xff\\xfe")))
    assert len({header.path for header in found}) == 2


def test_sizes_in_base_256_are_read() -> None:
    data = patched(tar(entry("file", b"abc")), 124, b"\x80" + (3).to_bytes(11, "big"))
    assert headers(data)[0].size == 3


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        (124, b"\xff" * 12, "has the number"),
        (124, b"\x80" + b"\xff" * 11, "has the number"),
        (124, b"99999999999\0", "has the number"),
        (124, b"-0000000001\0", "has the number"),
        (124, b"0x000000001\0", "has the number"),
        (124, b"1_000_00000\0", "has the number"),
        (108, b"abcdefg\0", "has the number"),
    ],
)
def test_broken_number_is_refused(field: int, value: bytes, words: str) -> None:
    refused(patched(tar(entry("file", b"abc")), field, value), words)


def test_wrong_checksum_is_refused() -> None:
    data = bytearray(tar(entry("file", b"abc")))
    data[0] ^= 1
    refused(bytes(data), "wrong checksum")


def test_lone_zero_block_cannot_hide_what_follows() -> None:
    refused(entry("seen") + bytes(BLOCK) + tar(entry("hidden")), "lone zero block")
    assert [header.path for header in headers(entry("seen") + bytes(2 * BLOCK) + tar(entry("unseen")))] == ["seen"]


def test_archive_without_its_end_is_read_to_the_end() -> None:
    assert [header.path for header in headers(entry("a") + entry("b", b"x"))] == ["a", "b"]


def test_global_records_that_would_move_files_are_refused() -> None:
    record = b"12 path=etc\n"
    refused(tar(entry("pax", record, kind=tarfile.XGLTYPE), entry("b")), "global PAX records")
    assert len(headers(tar(entry("pax", b"13 comment=x\n", kind=tarfile.XGLTYPE), entry("b")))) == 1


@pytest.mark.parametrize(
    "records", [b"path=x\n", b"9 path=x\n9", b"999999 path=x\n", b"0 path=x\n", b"11 path=a\0\n", b"8 pathx\n", b"\xff"]
)
def test_broken_records_are_refused(records: bytes) -> None:
    refused(tar(entry("pax", records, kind=tarfile.XHDTYPE), entry("b")), "broken PAX records|NUL in the path")


def test_extended_header_over_the_bound_is_refused() -> None:
    options = Options(max_extended_header_bytes=100)
    refused(tar(entry("name", b"x" * 200, kind=b"L"), entry("b")), "extended header at 512 has 200 bytes", options)


def test_links_have_no_data_whatever_their_size_says() -> None:
    data = patched(symlink("link", "target") + entry("next"), 124, b"%011o\0" % 512)
    assert [header.path for header in headers(data + bytes(1024))] == ["link", "next"]


def test_attributes_are_named() -> None:
    data = tar(entry("a", pax_headers={"SCHILY.xattr.trusted.overlay.opaque": "y"}), entry("b"))
    assert [header.xattrs for header in headers(data)] == [("trusted.overlay.opaque",), ()]


@pytest.mark.parametrize(
    "form", [["--format=gnu"], *(["--format=pax", f"--sparse-version={version}"] for version in ("0.0", "0.1", "1.0"))]
)
def test_sparse_file_of_each_form_is_read_as_it_was(tmp_path: Path, form: list[str]) -> None:
    if shutil.which("tar") is None:
        cannot("needs GNU tar")
    (tmp_path / "root").mkdir()
    path = tmp_path / "root" / "sparse"
    with path.open("wb") as file:
        for number in range(40):
            file.seek(number * 100_000)
            file.write(b"island %d" % number)
        file.truncate(5_000_000)
    (tmp_path / "root" / "zz").write_bytes(b"after")
    names = ["sparse", "zz"]
    layer = subprocess.run(
        ["tar", "-C", tmp_path / "root", "-S", *form, "-cf", "-", *names], check=True, capture_output=True
    ).stdout
    assert len(layer) < 1_000_000
    with open_image(write(archive([layer]), tmp_path)) as image:
        node, after = image.tree.find("sparse"), image.tree.find("zz")
        assert node is not None
        assert after is not None
        assert node.size == 5_000_000
        assert image.read(node) == path.read_bytes()
        assert image.read(node, 99_998, 11) == b"\0\0island 1\0"
        assert image.read(after) == b"after"


@given(st.lists(st.integers(0, 1 << 40), max_size=8), st.integers(0, 1 << 40))
@example([0, 10, 5, 10], 100)
def test_sparse_map_stays_inside_the_file_or_is_refused(numbers: list[int], real: int) -> None:
    pax = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": ",".join(map(str, numbers)),
        "GNU.sparse.size": str(real),
    }
    with suppress(ImageError):
        (header,) = headers(tar(entry("s", b"x" * 600, pax_headers=pax)))
        check_segments(header, real, stored=600)


def check_segments(header: Header, real: int, stored: int) -> None:
    assert header.segments is not None
    end = 0
    for offset, length in header.segments:
        assert offset >= end
        end = offset + length
    assert end <= real
    assert sum(length for _, length in header.segments) <= stored
