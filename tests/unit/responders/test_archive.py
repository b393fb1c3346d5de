import hashlib
import json
import os
import tarfile
from pathlib import Path

import pytest

from pratique.errors import UsageError
from pratique.responders import Evidence


def test_every_member_has_its_hash_in_the_manifest(tmp_path: Path) -> None:
    path = tmp_path / "evidence.tar.gz"
    (tmp_path / "big").write_bytes(b"x" * 100)
    descriptor = os.open(tmp_path / "big", os.O_RDONLY)
    with Evidence(path, {"container": "c"}) as evidence:
        evidence.add("a", b"1")
        evidence.add_json("b.json", {"x": 1})
        assert evidence.add_file("files/big", descriptor, 10) == 10
        evidence.note("something")
    os.close(descriptor)
    assert evidence.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as archive:
        contents = {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
    manifest = json.loads(contents.pop("manifest.json"))
    assert manifest["container"] == "c"
    assert manifest["notes"] == ["something"]
    told = {member["name"]: (member["size"], member["sha256"]) for member in manifest["members"]}
    assert told == {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in contents.items()}
    assert [member["name"] for member in manifest["members"] if member["cut"]] == ["files/big"]


def test_what_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    evidence = Evidence(tmp_path / "evidence.tar.gz", {}).__enter__()
    evidence.add("a", b"1")
    evidence.__exit__(RuntimeError, RuntimeError(), None)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "evidence.tar.gz").write_bytes(b"")
    with pytest.raises(UsageError, match="exists already"), Evidence(tmp_path / "evidence.tar.gz", {}):
        pass
