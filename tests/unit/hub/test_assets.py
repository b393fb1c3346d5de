"""The console's files: what is shipped is what was vendored, and nothing else can be asked for."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Final

import pytest

import pratique.hub
from pratique.hub import assets

STATIC: Final = Path(pratique.hub.__file__).with_name("static")
REPOSITORY: Final = Path(__file__).parents[3]
OWN: Final = sorted(
    path for path in STATIC.rglob("*") if path.suffix in {".css", ".js", ".svg"} and "vendor" not in path.parts
)


def manifest() -> dict[str, dict[str, str]]:
    whole: dict[str, dict[str, str]] = json.loads((STATIC / "manifest.json").read_text())
    return whole


def test_vendored_files_are_those_of_the_manifest() -> None:
    assert {path.relative_to(STATIC).as_posix() for path in (STATIC / "vendor").iterdir()} == set(manifest())
    for name, entry in manifest().items():
        digest = hashlib.sha384((STATIC / name).read_bytes()).digest()
        assert entry["integrity"] == f"sha384-{base64.b64encode(digest).decode()}", name


def test_vendored_packages_are_those_of_the_lock_file_and_have_a_notice() -> None:
    lock = json.loads((REPOSITORY / "packaging/assets/package-lock.json").read_text())
    locked = {
        path.removeprefix("node_modules/"): package["version"] for path, package in lock["packages"].items() if path
    }
    assert {entry["package"]: entry["version"] for entry in manifest().values()} == locked
    notices = (REPOSITORY / "THIRD_PARTY_NOTICES").read_text()
    assert all(f"## {name} {version}\n" in notices for name, version in locked.items())


def test_lock_file_names_no_registry() -> None:
    lock = json.loads((REPOSITORY / "packaging/assets/package-lock.json").read_text())
    assert all("resolved" not in package for package in lock["packages"].values())


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_own_files_load_nothing_from_elsewhere(path: Path) -> None:
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", path.read_text()))
    assert addresses <= {"http://www.w3.org/2000/svg"}


def test_address_holds_the_hash_of_everything() -> None:
    before, after = assets.Assets({"a.css": b"1", "b.js": b"2"}), assets.Assets({"a.css": b"1", "b.js": b"3"})
    assert before.url("a.css") != after.url("a.css")
    assert before.find(after.version, "a.css") is None


def test_file_is_found_by_its_name_alone() -> None:
    loaded = assets.load()
    found = loaded.find(loaded.version, "css/console.css")
    assert found is not None
    assert found.body == (STATIC / "css/console.css").read_bytes()
    assert found.media_type == "text/css; charset=utf-8"


@pytest.mark.parametrize(
    "name", ["../assets.py", "css/../../assets.py", "/etc/passwd", "css", "", "manifest.json", "css\\console.css", "\0"]
)
def test_what_is_no_file_of_the_console_is_not_found(name: str) -> None:
    loaded = assets.load()
    assert loaded.find(loaded.version, name) is None


def test_template_that_names_a_missing_file_fails() -> None:
    with pytest.raises(KeyError):
        assets.load().url("css/missing.css")
