"""What may be opened as an image, and what is refused."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pratique.errors import ImageError
from pratique.image import Image, Options, RunConfig, open_image
from pratique.image.documents import decode_config
from tests.unit.image.archives import (
    archive,
    configuration,
    directory,
    entry,
    layout,
    patched,
    sha256,
    symlink,
    tar,
    write,
    write_layout,
)

LAYER = tar(directory("etc"), entry("etc/hello", b"hello"))
UPPER = tar(entry("etc/hello", b"good day"))


def content(image: Image, path: str) -> bytes:
    node = image.tree.find(path)
    assert node is not None
    return image.read(node)


def refused(data: bytes, folder: Path, words: str, options: Options | None = None) -> None:
    path = write(data, folder)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ImageError, match=words):
        open_image(path, options)
    assert len(list(Path("/proc/self/fd").iterdir())) == before, "a refused image leaves a file open"


def test_archive_gives_identity_and_files(tmp_path: Path) -> None:
    with open_image(write(archive([LAYER, UPPER]), tmp_path)) as image:
        assert image.identity.id == sha256(configuration([LAYER, UPPER]))
        assert image.identity.layers == (sha256(LAYER), sha256(UPPER))
        assert image.identity.references == ("test/image:1",)
        assert content(image, "etc/hello") == b"good day"
        assert image.unread == []


@pytest.mark.parametrize("compress", [True, False])
def test_layout_directory_and_its_tar_give_the_same(tmp_path: Path, compress: bool) -> None:
    files = layout([LAYER, UPPER], compress=compress)
    packed = write(tar(*(entry(name, data) for name, data in files.items())), tmp_path)
    folder = write_layout(files, tmp_path / "layout")
    with open_image(folder) as one, open_image(packed) as other:
        assert one.identity == other.identity
        assert one.identity.references == ("test/layout:1",)
        assert content(one, "etc/hello") == content(other, "etc/hello") == b"good day"


def test_gzipped_archive_is_opened(tmp_path: Path) -> None:
    with open_image(write(gzip.compress(archive([LAYER])), tmp_path)) as image:
        assert content(image, "etc/hello") == b"hello"


def test_archive_of_a_recent_engine_is_one_image(tmp_path: Path) -> None:
    files = layout([LAYER], compress=False)
    config = f"blobs/sha256/{sha256(configuration([LAYER]))[7:]}"
    manifest = [{"Config": config, "RepoTags": ["a:1"], "Layers": [f"blobs/sha256/{sha256(LAYER)[7:]}"]}]
    files["manifest.json"] = json.dumps(manifest).encode()
    data = tar(*(entry(name, value) for name, value in files.items()))
    with open_image(write(data, tmp_path)) as image:
        assert image.identity.references == ("a:1", "test/layout:1")
        manifests = json.loads(files["index.json"])["manifests"]
        assert image.digests == {image.identity.id, manifests[0]["digest"]}


def test_archive_that_describes_two_images_is_refused(tmp_path: Path) -> None:
    hidden = layout([UPPER], compress=False)
    data = archive([LAYER])[:-1024] + tar(*(entry(name, value) for name, value in hidden.items()))
    refused(data, tmp_path, "describes two images")


def test_layer_with_other_bytes_than_the_configuration_names_is_refused(tmp_path: Path) -> None:
    refused(archive([LAYER], stored=[UPPER]), tmp_path, "not the layer that the image names")


def test_layout_with_an_altered_manifest_is_refused(tmp_path: Path) -> None:
    files = layout([LAYER])
    digest = json.loads(files["index.json"])["manifests"][0]["digest"]
    files[f"blobs/sha256/{digest[7:]}"] += b" "
    with pytest.raises(ImageError, match="not what its digest says"):
        open_image(write_layout(files, tmp_path))


def test_layout_with_an_altered_configuration_is_refused(tmp_path: Path) -> None:
    files = layout([LAYER])
    files[f"blobs/sha256/{sha256(configuration([LAYER]))[7:]}"] += b" "
    with pytest.raises(ImageError, match="configuration is not what its digest says"):
        open_image(write_layout(files, tmp_path))


def test_truncated_archive_is_refused(tmp_path: Path) -> None:
    data = archive([LAYER])
    for size in (1, 511, 513, 1100, len(data) // 2):
        refused(data[:size], tmp_path, "truncated|holds no image|lacks")


def test_truncated_layer_is_refused(tmp_path: Path) -> None:
    cut = LAYER[: -1024 - 512]
    refused(archive([cut]), tmp_path, r"truncated: its entry etc/hello claims 5 bytes, and 0 are left")


def test_truncated_gzip_layer_is_refused(tmp_path: Path) -> None:
    refused(archive([LAYER], stored=[gzip.compress(LAYER)[:-9]]), tmp_path, "gzip stream has no end")


def test_gzip_with_rubbish_behind_it_is_refused(tmp_path: Path) -> None:
    refused(archive([LAYER], stored=[gzip.compress(LAYER) + b"rubbish"]), tmp_path, "not valid gzip|has no end")


def test_gzip_of_several_members_is_read_whole(tmp_path: Path) -> None:
    stored = gzip.compress(LAYER[:700]) + gzip.compress(LAYER[700:])
    with open_image(write(archive([LAYER], stored=[stored]), tmp_path)) as image:
        assert content(image, "etc/hello") == b"hello"


def test_compression_bomb_is_refused(tmp_path: Path) -> None:
    bomb = tar(entry("zeros", bytes(4 << 20)))
    options = Options(free_inflate_bytes=1 << 20, max_ratio=100)
    refused(archive([bomb], stored=[gzip.compress(bomb)]), tmp_path, "compression bomb", options)


def test_small_layer_that_is_named_many_times_is_a_compression_bomb(tmp_path: Path) -> None:
    layer = tar(entry("zeros", bytes(600 << 10)))
    options = Options(free_inflate_bytes=1 << 20, max_ratio=100)
    with open_image(write(archive([layer], stored=[gzip.compress(layer)]), tmp_path), options):
        pass
    refused(archive([layer] * 5, stored=[gzip.compress(layer)] * 5), tmp_path, "compression bomb", options)


def test_image_over_the_bound_of_bytes_is_refused(tmp_path: Path) -> None:
    options = Options(max_image_bytes=len(LAYER) + len(UPPER) - 1)
    refused(archive([LAYER, UPPER]), tmp_path, r"more than \d+ uncompressed bytes", options)


def test_image_over_the_bound_of_entries_is_refused(tmp_path: Path) -> None:
    refused(archive([LAYER, UPPER]), tmp_path, "over its bound of files", Options(max_entries=2))


def test_image_over_the_bound_of_layers_is_refused(tmp_path: Path) -> None:
    refused(archive([LAYER, UPPER]), tmp_path, "has 2 layers, more than 1", Options(max_layers=1))


def test_image_over_its_deadline_is_refused(tmp_path: Path) -> None:
    refused(archive([LAYER]), tmp_path, "takes longer than -1 s", Options(deadline_s=-1))
    refused(gzip.compress(archive([LAYER])), tmp_path, "takes longer than -1 s", Options(deadline_s=-1))


def test_file_system_is_not_filled(tmp_path: Path) -> None:
    options = Options(min_free_bytes=1 << 60)
    refused(archive([LAYER], stored=[gzip.compress(LAYER)]), tmp_path, "more room for temporary files", options)
    with open_image(write(archive([LAYER]), tmp_path), options) as image:
        assert content(image, "etc/hello") == b"hello"


def test_archive_over_the_bound_of_members_is_refused(tmp_path: Path) -> None:
    refused(archive([LAYER]), tmp_path, "more than 2 members", Options(max_members=2))


def test_document_over_the_bound_is_refused(tmp_path: Path) -> None:
    refused(archive([LAYER]), tmp_path, "bytes, more than 20", Options(max_document_bytes=20))


def test_header_that_claims_ten_gigabytes_is_refused(tmp_path: Path) -> None:
    huge = patched(tar(entry("huge", b"x")), 124, b"\x80" + (10 << 30).to_bytes(11, "big"))  # too large for octal
    refused(archive([huge]), tmp_path, "entry huge claims 10737418240 bytes, and 1536 are left")
    refused(huge, tmp_path, "entry huge claims 10737418240 bytes")


def test_zstd_layer_is_unread_and_the_rest_is_read(tmp_path: Path) -> None:
    stored = [LAYER, b"\x28\xb5\x2f\xfd" + bytes(20)]
    with open_image(write(archive([LAYER, UPPER], stored=stored), tmp_path)) as image:
        assert content(image, "etc/hello") == b"hello"
        assert [unread.path for unread in image.unread] == [f"layer {sha256(UPPER)}"]
        assert "zstd" in image.unread[0].reason


def test_member_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    data = entry("manifest.json", b"[]") + archive([LAYER])
    refused(data, tmp_path, "holds manifest.json twice")
    refused(entry("./x/../manifest.json", b"[]") + archive([LAYER]), tmp_path, "holds manifest.json twice")


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (b"{", "not a valid document"),
        (b"[]", "holds 0 images"),
        (b'[{"Config": "a"}, {"Config": "b"}]', "holds 2 images"),
        (b'[{"Config": 1}]', "not a valid document"),
        (b'[{"Config": "nowhere.json"}]', "lacks nowhere.json"),
        (b"[" * 100_000, "not a valid document"),
        (b"\xff\xfe", "not a valid document"),
    ],
)
def test_broken_manifest_is_one_error(tmp_path: Path, manifest: bytes, words: str) -> None:
    refused(tar(entry("manifest.json", manifest)), tmp_path, words)


def test_number_of_layers_must_be_that_of_the_configuration(tmp_path: Path) -> None:
    document = configuration([LAYER, UPPER])
    manifest = [{"Config": "c.json", "Layers": ["l.tar"]}]
    data = tar(entry("c.json", document), entry("l.tar", LAYER), entry("manifest.json", json.dumps(manifest).encode()))
    refused(data, tmp_path, "has 1 layers, but its configuration names 2")


def test_layer_behind_a_symlink_inside_the_archive_is_found(tmp_path: Path) -> None:
    document = configuration([LAYER, LAYER])
    manifest = [{"Config": "c.json", "Layers": ["1/layer.tar", "2/layer.tar"]}]
    parts = (entry("c.json", document), entry("1/layer.tar", LAYER), symlink("2/layer.tar", "../1/layer.tar"))
    data = tar(*parts, entry("manifest.json", json.dumps(manifest).encode()))
    with open_image(write(data, tmp_path)) as image:
        assert image.identity.layers == (sha256(LAYER), sha256(LAYER))


@pytest.mark.parametrize(
    "twist",
    [
        lambda text: text.replace(b'"config"', b'"Config"'),
        lambda text: text.replace(b'"Cmd"', b'"cmd"'),
        lambda text: text.replace(b'"Cmd"', b'"Cmd": ["true"], "CMD"'),
        lambda text: text.replace(b'"Shell"', '"\u017fhell"'.encode()),
        lambda text: text.replace(b'"config"', b'"config": {"Cmd": ["true"]}, "config"'),
        lambda text: text.replace(b'"rootfs"', b'"rootfs": {"diff_ids": []}, "RootFS"'),
    ],
)
def test_configuration_that_engines_read_otherwise_is_refused(twist: Callable[[bytes], bytes]) -> None:
    text = configuration([b"layer"], Cmd=["evil"], Shell=["sh"])
    assert decode_config(text, "it").config == RunConfig(cmd=("evil",), shell=("sh",))
    with pytest.raises(ImageError, match="read in two ways"):
        decode_config(twist(text), "it")


def test_symlink_out_of_the_archive_or_to_itself_is_refused(tmp_path: Path) -> None:
    refused(tar(symlink("manifest.json", "/etc/passwd")), tmp_path, "holds no image")
    refused(tar(symlink("manifest.json", "manifest.json")), tmp_path, "loop of links")


def test_symlink_in_a_layout_is_not_followed(tmp_path: Path) -> None:
    files = layout([LAYER])
    write(files.pop("index.json"), tmp_path, "elsewhere.json")
    folder = write_layout(files, tmp_path / "layout")
    (folder / "index.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ImageError, match=r"index.json of .* cannot be read"):
        open_image(folder)


def test_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageError, match="neither a file nor a directory"):
        open_image(tmp_path / "pipe")
    folder = tmp_path / "layout"
    folder.mkdir()
    os.mkfifo(folder / "index.json")
    with pytest.raises(ImageError, match="is not a file"):
        open_image(folder)


@pytest.mark.parametrize("data", [b"", b"x", b"x" * 512, bytes(2048), b"\x1f\x8b" + bytes(100), b"PK\x03\x04" * 500])
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    refused(data, tmp_path, "holds no image|not a valid tar|truncated|not valid gzip")


def test_missing_file_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError):
        open_image(tmp_path / "nothing")


def test_attestations_of_an_index_are_passed_over_and_this_machines_image_is_taken(tmp_path: Path) -> None:
    ours, theirs = layout([LAYER]), layout([UPPER])
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    described = []
    for files, architecture in ((theirs, "mips64"), (ours, machine), ({**theirs}, "unknown")):
        manifest = json.loads(files["index.json"])["manifests"][0]
        system = "unknown" if architecture == "unknown" else "linux"
        described.append({**manifest, "platform": {"architecture": architecture, "os": system}})
    nested = json.dumps({"schemaVersion": 2, "manifests": described}).encode()
    files = {**theirs, **ours, f"blobs/sha256/{sha256(nested)[7:]}": nested}
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [{"digest": sha256(nested)}]}).encode()
    with open_image(write_layout(files, tmp_path)) as image:
        assert image.identity.layers == (sha256(LAYER),)
        assert sha256(nested) in image.digests


def test_index_that_names_itself_ends(tmp_path: Path) -> None:
    files = {"index.json": json.dumps({"manifests": [{"digest": sha256(b"{}")}] * 200}).encode()}
    files[f"blobs/sha256/{sha256(b'{}')[7:]}"] = b"{}"
    with pytest.raises(ImageError, match="too many images"):
        open_image(write_layout(files, tmp_path))


@pytest.mark.parametrize("digest", ["sha256:../../etc/passwd", "md5:0", "", "sha256:" + "A" * 64])
def test_digest_that_is_none_is_refused(tmp_path: Path, digest: str) -> None:
    files = {"index.json": json.dumps({"manifests": [{"digest": digest}]}).encode()}
    with pytest.raises(ImageError, match="not a sha256 digest"):
        open_image(write_layout(files, tmp_path))
