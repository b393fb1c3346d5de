"""From the bytes of an image to what it is made of."""

import gzip
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pratique.analyzers import Options, take_fingerprint
from pratique.family import MAX_ELEMENTS, SLICE_BYTES, Fingerprint, element, sampled
from pratique.image import open_image
from tests.unit.image.archives import archive, directory, entry, hardlink, tar, write

TEXT = b"the same content in every place\n"
OTHER = b"another content, and long enough\n"


def taken(folder: Path, *layers: bytes, stored: Iterable[bytes] | None = None, **config: Any) -> Fingerprint:
    path = write(archive(layers, stored=list(stored) if stored else None, **config), folder)
    with open_image(path) as image:
        return take_fingerprint(image)


def test_paths_layers_order_and_compression_do_not_count(tmp_path: Path) -> None:
    one = taken(tmp_path, tar(entry("bin/a", TEXT), entry("bin/b", OTHER)))
    layers = [tar(entry("x", OTHER, mtime=99)), tar(directory("y"), entry("y/z", TEXT, uid=7))]
    other = taken(tmp_path, *layers, stored=map(gzip.compress, layers))
    assert one.elements() == other.elements()
    assert len(one.elements()) == 2


def test_an_element_belongs_to_the_layer_that_shows_the_file(tmp_path: Path) -> None:
    found = taken(tmp_path, tar(entry("a", TEXT), entry("b", TEXT + b"1")), tar(entry("a", OTHER), entry(".wh.b")))
    assert found.elements(0, 1) == frozenset()
    assert len(found.elements(1)) == 1
    assert found.bottom() == 1


def test_files_of_a_few_bytes_are_nobodys_and_hard_links_count_once(tmp_path: Path) -> None:
    found = taken(tmp_path, tar(entry("empty"), entry("one", b"1\n"), entry("a", TEXT), hardlink("b", "a")))
    assert len(found.elements()) == 1


def test_a_patched_program_keeps_most_of_its_elements(tmp_path: Path) -> None:
    program = secrets.token_bytes(20 * SLICE_BYTES + 77)
    patched = program[: 5 * SLICE_BYTES] + b"!" + program[5 * SLICE_BYTES + 1 :] + b"appended"
    before = taken(tmp_path, tar(entry("p", program))).elements()
    after = taken(tmp_path, tar(entry("q", patched))).elements()
    assert len(before) == 21
    assert len(before & after) == 19


def test_blank_slices_are_nobodys(tmp_path: Path) -> None:
    found = taken(tmp_path, tar(entry("disk", bytes(8 * SLICE_BYTES))))
    assert len(found.elements()) == 1


def test_time_that_is_up_gives_a_part_and_says_so(tmp_path: Path) -> None:
    path = write(archive([tar(entry("a", TEXT))]), tmp_path)
    with open_image(path) as image:
        found = take_fingerprint(image, Options(deadline_s=-1))
    assert found.partial
    assert found.elements() == frozenset()


def test_a_bound_keeps_the_same_sample_in_every_image() -> None:
    many = [element(secrets.token_bytes(32), 1000) for _ in range(MAX_ELEMENTS + 5_000)]
    strata, omitted = sampled([many[:40_000], many[40_000:]])
    again, _ = sampled([many])
    assert omitted == 5_000
    assert sorted(b"".join(strata)) == sorted(again[0])


@pytest.mark.parametrize("config", [{"Entrypoint": ["/app"], "Cmd": ["-p", "80"]}, {}])
def test_the_recipe_is_taken_from_the_configuration(tmp_path: Path, config: dict[str, Any]) -> None:
    found = taken(tmp_path, tar(entry("a", TEXT)), **config)
    assert found.recipe.program == ("/app" if config else "")
