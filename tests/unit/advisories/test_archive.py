import os
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pratique.advisories.archive import ArchiveLimits, BrokenEntry, read_documents
from pratique.errors import AdvisoryError
from tests.unit.advisories.zips import write_zip

SMALL = ArchiveLimits(
    archive_bytes=100_000, directory_bytes=10_000, entries=50, entry_bytes=1000, total_bytes=5000, ratio=100
)


def contents(path: Path, limits: ArchiveLimits = SMALL) -> list[bytes | str]:
    return [entry.reason if isinstance(entry, BrokenEntry) else entry[1] for entry in read_documents(path, limits)]


def test_json_entries_are_read_and_others_passed_over(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", b"one", b"two")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("README.md", "text")
    assert contents(path) == [b"one", b"two"]


def test_names_are_never_paths(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../escaped.json", b"{}")
        archive.writestr("/etc/escaped.json", b"{}")
    assert contents(path) == [b"{}", b"{}"]
    assert [found.name for found in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip" * 1000, b"PK\5\6" + bytes(18)])
def test_what_is_no_zip_is_one_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(AdvisoryError, match=str(path)):
        contents(path)


def test_missing_file_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(AdvisoryError, match="cannot be read: No such file"):
        contents(tmp_path / "none.zip")


def test_cut_zip_is_one_error(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "a.zip", *[b"x" * 50] * 20).read_bytes()
    for length in range(0, len(whole), 97):
        cut = tmp_path / "cut.zip"
        cut.write_bytes(whole[:length])
        with pytest.raises(AdvisoryError):
            contents(cut)


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([b"x"] * 51, "51 entries, more than 50"),
        ([b"1234567890" * 90] * 6, "unpacks to 5400 bytes, more than 5000"),
        ([b"0" * 999] * 5, "times its size"),
    ],
)
def test_too_much_is_one_error(tmp_path: Path, documents: list[bytes], message: str) -> None:
    limits = ArchiveLimits(entries=50, entry_bytes=1000, total_bytes=5000, ratio=5 if "times" in message else 1000)
    with pytest.raises(AdvisoryError, match=message):
        contents(write_zip(tmp_path / "a.zip", *documents), limits)


def test_large_entry_is_broken_and_the_rest_read(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", b"y" * 1001, b"good")
    assert contents(path) == ["unpacks to 1001 bytes, more than 1000", b"good"]


def test_entry_that_lies_about_its_size_is_broken(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", b"z" * 900, b"good")
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<L", content, content.index(signature) + offset, 10)
    path.write_bytes(content)
    first, second = contents(path)
    assert isinstance(first, str)
    assert second == b"good"


def test_damaged_entry_is_broken_and_the_rest_read(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", b"first entry", b"good", compression=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"first entry", b"other entry"))
    broken, good = contents(path)
    assert "CRC" in str(broken)
    assert good == b"good"


def test_encrypted_entry_and_foreign_compression_are_broken(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", b"good", b"squeezed" * 20)
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + offset] |= 1
    content[content.rindex(b"PK\1\2") + 10] = 99
    path.write_bytes(content)
    encrypted, foreign = contents(path)
    assert "encrypted" in str(encrypted)
    assert foreign == "compression method 99 is not supported"


def test_directory_is_bounded_before_it_is_read(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", *[b"x"] * 40)
    with pytest.raises(AdvisoryError, match=r"directory of \d+ bytes, more than 100"):
        contents(path, ArchiveLimits(directory_bytes=100))
    with pytest.raises(AdvisoryError, match="bytes, more than 10"):
        contents(path, ArchiveLimits(archive_bytes=10))


def test_entries_are_counted_and_not_believed(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", *[b"x"] * 40)
    content = bytearray(path.read_bytes())
    struct.pack_into("<HH", content, content.rindex(b"PK\5\6") + 8, 1, 1)
    path.write_bytes(content)
    with pytest.raises(AdvisoryError, match="has 40 entries, more than 39"):
        contents(path, ArchiveLimits(entries=39))


def test_pipe_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.zip")
    with pytest.raises(AdvisoryError, match="is not a file"):
        contents(tmp_path / "a.zip")


def test_directory_size_of_a_zip64_is_bounded(tmp_path: Path) -> None:
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 1 << 40, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path = tmp_path / "a.zip"
    path.write_bytes(record + locator + end)
    with pytest.raises(AdvisoryError, match=f"directory of {1 << 40} bytes"):
        contents(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_is_an_error_or_broken_entries(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "a.zip"
    content = bytearray(write_zip(path, b'{"id": "A"}', b'{"id": "B"}').read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        content[position] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with suppress(AdvisoryError):
        assert len(contents(path)) <= 2
