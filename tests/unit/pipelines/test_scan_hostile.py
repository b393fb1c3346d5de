"""Whatever bytes an image is made of: a report, or one error of ours."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import ImageError
from pratique.model import Report
from pratique.pipelines.scan import scan_file
from pratique.report import Format, render
from tests.unit.image.archives import archive, configuration, directory, entry, hardlink, layout, symlink, tar, write

LOWER = tar(
    directory("etc"),
    entry("etc/os-release", b"ID=debian\nVERSION_ID=12\n"),
    entry("var/lib/dpkg/status", b"Package: a\nVersion: 1\n\nPackage: b\nVersion: 2\n"),
    entry("a/node_modules/b/package.json", b'{"name": "b", "version": "1"}'),
    symlink("lib", "usr/lib"),
    hardlink("h", "etc/os-release"),
)
UPPER = tar(entry("etc/.wh.os-release"), entry("etc/.wh..wh..opq"), entry("var", b"x"))
SAMPLES = [
    archive([LOWER, UPPER], Env=["A=b"], User="app"),
    tar(*(entry(name, data) for name, data in layout([LOWER, UPPER], compress=False).items())),
    tar(*(entry(name, data) for name, data in layout([LOWER, UPPER]).items())),
]


def scanned(data: bytes) -> Report | None:
    with TemporaryDirectory() as folder:
        try:
            report = scan_file(write(data, Path(folder)))
        except ImageError:
            return None
    assert render(report, Format.TABLE)
    assert json.loads(render(report, Format.JSON))
    return report


def test_samples_are_images() -> None:
    assert all(scanned(sample) for sample in SAMPLES)


@given(st.sampled_from(SAMPLES), st.data())
def test_altered_archive_gives_a_report_or_one_error(sample: bytes, data: st.DataObject) -> None:
    mangled = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(mangled) - 1))
        mangled[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    scanned(bytes(mangled))


NAMES = st.sampled_from(["a", "b", "..", ".", "", ".wh.a", ".wh..wh..opq", "etc", "os-release", "é\udcff", "\x1b[2J"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
ENTRIES = st.one_of(
    st.builds(entry, PATHS, st.binary(max_size=40)),
    st.builds(directory, PATHS),
    st.builds(symlink, PATHS, PATHS),
    st.builds(hardlink, PATHS, PATHS),
)


@given(st.lists(st.lists(ENTRIES, max_size=5).map(lambda entries: tar(*entries)), max_size=3))
def test_honest_archive_of_hostile_layers_gives_a_report(layers: list[bytes]) -> None:
    assert scanned(archive(layers)) is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["config", "rootfs", "history", "architecture", "os", "created"]
RUN_FIELDS = ["User", "Env", "Entrypoint", "Cmd", "ExposedPorts", "Volumes"]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON), st.dictionaries(st.sampled_from(RUN_FIELDS), JSON))
def test_any_configuration_gives_a_report_or_one_error(fields: dict[str, object], run: dict[str, object]) -> None:
    document = {**json.loads(configuration([LOWER])), "config": run, **fields}
    manifest = [{"Config": "c", "Layers": ["l"]}]
    parts = {"c": json.dumps(document), "manifest.json": json.dumps(manifest)}
    scanned(tar(*(entry(name, text.encode()) for name, text in parts.items()), entry("l", LOWER)))
