"""A container's own layer, as a hostile container may leave it."""

import os
import threading
from pathlib import Path

from pratique.responders.changes import MAX_DEPTH, walk


def found(layer: Path) -> dict[str, tuple[str, bytes | None]]:
    return {
        change.path: (change.kind, None if content is None else os.read(content, 100))
        for change, content in walk(layer)
    }


def test_links_are_told_and_never_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"of the host")
    layer = tmp_path / "layer"
    (layer / "etc").mkdir(parents=True)
    (layer / "etc/shadow").symlink_to(secret)
    (layer / "up").symlink_to("..")
    (layer / "real").write_bytes(b"content")
    assert found(layer) == {
        "/etc": ("folder", None),
        "/etc/shadow": ("link", None),
        "/real": ("file", b"content"),
        "/up": ("link", None),
    }
    targets = {change.path: change.target for change, _ in walk(layer)}
    assert targets["/etc/shadow"] == str(secret)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "another")
    assert found(tmp_path) == {"/another": ("pipe", None), "/pipe": ("pipe", None)}


def test_depth_is_bounded(tmp_path: Path) -> None:
    place = os.open(tmp_path, os.O_RDONLY)
    for _ in range(MAX_DEPTH * 3):
        os.mkdir("d", dir_fd=place)
        below = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(place)
    assert len(found(tmp_path)) == MAX_DEPTH + 1


def test_names_that_are_no_text_become_text(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff\n")).write_bytes(b"x")
    assert found(tmp_path) == {"/?\n": ("file", b"x")}


def test_names_that_change_their_kind_meanwhile_do_not_break_it(tmp_path: Path) -> None:
    """A container may put a file in the place of a link between two looks."""
    ended = threading.Event()

    def swap() -> None:
        while not ended.is_set():
            (tmp_path / "next").symlink_to("x")
            (tmp_path / "next").replace(tmp_path / "a")
            (tmp_path / "next").write_text("x")
            (tmp_path / "next").replace(tmp_path / "a")

    container = threading.Thread(target=swap)
    container.start()
    try:
        kinds = {change.kind for _ in range(3000) for change, _ in walk(tmp_path)}
    finally:
        ended.set()
        container.join()
    assert kinds <= {"file", "link"}
