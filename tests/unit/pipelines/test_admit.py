import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from pratique.advisories import Source, build
from pratique.errors import ImageError, SandboxError
from pratique.model import (
    Behaviour,
    Detonation,
    Finding,
    FindingKind,
    ImageId,
    ImageIdentity,
    Report,
    Severity,
)
from pratique.pipelines.admit import Admissions
from pratique.pipelines.behaviours import Behaviours, Detonate
from pratique.pipelines.kinship import Kinship
from pratique.pipelines.recorder import Recorder
from pratique.policy import Document
from pratique.store import Store
from tests.unit.advisories.zips import advisory, write_zip
from tests.unit.pipelines.listener import Listener

IMAGE = ImageIdentity(id=ImageId("sha256:" + "a" * 64), references=("shop/checkout:1",))
MALWARE = Finding(FindingKind.MALWARE, "miner", Severity.CRITICAL, "a miner", path="/bin/x")


class _Known(Kinship):
    """Knows what every image is made of."""

    async def knows(self, image_id: str) -> bool:
        return bool(image_id)


class Book:
    """Admissions over a real store, with a scanner that the test holds in its hand."""

    def __init__(
        self, path: Path, scan: Callable[[ImageId], Awaitable[Report]], detonate: Detonate | None = None
    ) -> None:
        self.listener = Listener()
        self.path = path
        self.advisories = path.with_name("advisories.db")
        self.scan = scan
        self.detonate = detonate or _nothing_detonates

    async def run(self, work: Callable[[Admissions], Awaitable[None]]) -> None:
        with Store.open(self.path) as store:
            async with Recorder.opened(store, self.listener) as recorder:
                kinship = _Known(store, recorder, Document, lambda *_: None)
                behaviours = Behaviours(self.detonate, store, recorder, Document, self.listener)
                listener, advisories = self.listener, self.advisories
                await work(Admissions(self.scan, store, recorder, Document, listener, advisories, kinship, behaviours))


async def _nothing_detonates(image: ImageId, for_s: float) -> Detonation:
    msg = f"{image} is not to be detonated for {for_s} s"
    raise AssertionError(msg)


def report(*findings: Finding) -> Report:
    return Report(image=IMAGE, scanned_at=1.0, duration_s=0.1, findings=findings)


def test_fifty_questions_at_once_about_one_image_make_one_scan(tmp_path: Path) -> None:
    scans = []

    async def scan(image: ImageId) -> Report:
        scans.append(image)
        await asyncio.sleep(0.01)
        return report()

    async def work(book: Admissions) -> None:
        await asyncio.gather(*(book.report(IMAGE) for _ in range(50)))

    asyncio.run(Book(tmp_path / "s.db", scan).run(work))
    assert scans == [IMAGE.id]


def test_who_stops_waiting_does_not_stop_the_scan(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def scan(image: ImageId) -> Report:
        del image
        await go_on.wait()
        return report()

    async def work(book: Admissions) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await book.report(IMAGE)
        go_on.set()
        assert await book.report(IMAGE) == report()

    asyncio.run(Book(tmp_path / "s.db", scan).run(work))


def test_a_report_outlives_the_agent(tmp_path: Path) -> None:
    async def scan(image: ImageId) -> Report:
        del image
        return report()

    async def never(image: ImageId) -> Report:
        pytest.fail(f"{image} was scanned again")

    async def ask(book: Admissions) -> None:
        await book.report(IMAGE)

    asyncio.run(Book(tmp_path / "s.db", scan).run(ask))
    asyncio.run(Book(tmp_path / "s.db", never).run(ask))


def test_malware_is_told_as_the_fault(tmp_path: Path) -> None:
    async def scan(image: ImageId) -> Report:
        del image
        return report(MALWARE)

    async def work(book: Admissions) -> None:
        await book.report(IMAGE)

    book = Book(tmp_path / "s.db", scan)
    asyncio.run(book.run(work))
    assert book.listener.scans == [(IMAGE.id, "malware: a miner (miner) in /bin/x")]


def test_a_failed_scan_is_told_and_tried_again_at_the_next_question(tmp_path: Path) -> None:
    tries = []

    async def scan(image: ImageId) -> Report:
        tries.append(image)
        if len(tries) == 1:
            msg = "layer 2 is truncated"
            raise ImageError(msg, hint="load it again")
        return report()

    async def work(book: Admissions) -> None:
        with pytest.raises(ImageError):
            await book.report(IMAGE)
        await book.report(IMAGE)

    book = Book(tmp_path / "s.db", scan)
    asyncio.run(book.run(work))
    assert len(tries) == 2
    assert book.listener.warned == ["image shop/checkout:1 was not scanned: layer 2 is truncated load it again"]


def test_new_advisories_make_a_report_stale(tmp_path: Path) -> None:
    scans = []

    async def scan(image: ImageId) -> Report:
        scans.append(image)
        return msgspec.structs.replace(report(), scanned_at=time.time())

    book = Book(tmp_path / "s.db", scan)

    async def work(admissions: Admissions) -> None:
        await admissions.current(IMAGE)
        await admissions.current(IMAGE)
        assert len(scans) == 1
        zip_file = write_zip(tmp_path / "osv.zip", advisory("PYSEC-2026-1", "requests", fixed="3"))
        build(book.advisories, [Source(zip_file, "osv.zip")], now=time.time())
        assert admissions.advisories_changed()
        assert not admissions.advisories_changed()
        await admissions.current(IMAGE)
        await admissions.current(IMAGE)

    asyncio.run(book.run(work))
    assert len(scans) == 2


def detonation(verdict: Behaviour) -> Detonation:
    return Detonation(IMAGE, 1.0, 20.0, ("/start",), verdict, "a miner was started (exec.miner)")


def test_fifty_questions_at_once_about_behaviour_make_one_detonation_and_the_next_finds_it_in_the_store(
    tmp_path: Path,
) -> None:
    runs = []

    async def scan(image: ImageId) -> Report:
        raise AssertionError(image)

    async def detonate(image: ImageId, for_s: float) -> Detonation:
        runs.append((image, for_s))
        await asyncio.sleep(0.01)
        return detonation(Behaviour.CLEAN)

    async def work(book: Admissions) -> None:
        found = await asyncio.gather(*(book.detonation(IMAGE) for _ in range(50)))
        assert set(found) == {detonation(Behaviour.CLEAN)}
        assert await book.detonation(IMAGE) == detonation(Behaviour.CLEAN)

    asyncio.run(Book(tmp_path / "s.db", scan, detonate).run(work))
    assert runs == [(IMAGE.id, 20.0)]


def test_a_hundred_images_at_once_are_detonated_one_after_the_other(tmp_path: Path) -> None:
    images = [ImageIdentity(id=ImageId(f"sha256:{n:064x}")) for n in range(100)]
    at_work: set[ImageId] = set()

    async def scan(image: ImageId) -> Report:
        raise AssertionError(image)

    async def detonate(image: ImageId, for_s: float) -> Detonation:
        del for_s
        at_work.add(image)
        await asyncio.sleep(0)
        assert at_work == {image}
        at_work.remove(image)
        return structs.replace(detonation(Behaviour.CLEAN), image=ImageIdentity(id=image))

    async def work(book: Admissions) -> None:
        found = await asyncio.gather(*(book.detonation(image) for image in images))
        assert [one.image.id for one in found] == [image.id for image in images]

    asyncio.run(Book(tmp_path / "s.db", scan, detonate).run(work))


def test_bad_detonation_condemns_its_image_and_raises_an_alert(tmp_path: Path) -> None:
    async def scan(image: ImageId) -> Report:
        raise AssertionError(image)

    async def detonate(*_: object) -> Detonation:
        return detonation(Behaviour.BAD)

    async def work(book: Admissions) -> None:
        assert (await book.detonation(IMAGE)).verdict is Behaviour.BAD

    asyncio.run(Book(tmp_path / "s.db", scan, detonate).run(work))
    with Store.open(tmp_path / "s.db") as store:
        assert [record.alert.rule for record in store.alerts()] == ["image.behaviour"]
        (condemned,) = store.families.condemned()
    assert (condemned.image, condemned.source) == (IMAGE.id, "detonation")


def test_failed_detonation_is_told_and_tried_again(tmp_path: Path) -> None:
    runs = []

    async def scan(image: ImageId) -> Report:
        raise AssertionError(image)

    async def detonate(*asked: object) -> Detonation:
        runs.append(asked)
        msg = "there is no runc"
        raise SandboxError(msg)

    async def work(book: Admissions) -> None:
        for _ in range(2):
            with pytest.raises(SandboxError):
                await book.detonation(IMAGE)

    book = Book(tmp_path / "s.db", scan, detonate)
    asyncio.run(book.run(work))
    assert len(runs) == 2
    assert any("was not detonated: there is no runc" in text for text in book.listener.warned)
