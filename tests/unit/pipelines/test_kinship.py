"""The book of families, over a real store."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec import structs

from pratique.model import Finding, FindingKind, ImageIdentity, Report, Severity
from pratique.pipelines.kinship import Heir, Kinship
from pratique.pipelines.recorder import Recorder
from pratique.policy import Document, ImagePolicy, Inherit, Unlisted
from pratique.store import Store
from tests.unit.family.population import Made, Maker
from tests.unit.pipelines.listener import Listener

MALWARE = Finding(FindingKind.MALWARE, "miner", Severity.CRITICAL, "a miner", path="/bin/x")


def report(image: Made, *findings: Finding) -> Report:
    fingerprint = image.fingerprint()
    return Report(ImageIdentity(id=fingerprint.image, layers=fingerprint.layers), 1.0, 0.1, findings=findings)


class Book:
    """A book under a policy that the test sets."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "s.db"
        self.document = Document(unlisted=Unlisted(inherit=Inherit.ANY))
        self.heirs: dict[str, Heir | None] = {}

    def run(self, work: Callable[[Kinship, Store], Awaitable[None]]) -> None:
        async def story() -> None:
            with Store.open(self.path) as store:
                async with Recorder.opened(store, Listener()) as recorder:
                    await work(Kinship(store, recorder, lambda: self.document, self._inherit), store)

        asyncio.run(story())

    def list(self, image: Made) -> None:
        entry = ImagePolicy(name="shop", ids=(image.fingerprint().image,))
        self.document = Document(unlisted=self.document.unlisted, images=(*self.document.images, entry))

    def _inherit(self, image_id: str, heir: Heir | None) -> None:
        self.heirs[image_id] = heir


async def scanned(kinship: Kinship, store: Store, image: Made, *findings: Finding) -> Report:
    """What happens when an image was scanned."""
    found = report(image, *findings)
    store.put_image(found.image, 1.0)
    kinship.learn(image.fingerprint())
    kinship.reported(found)
    await kinship._recorder.durable()
    return found


def test_malware_condemns_the_image_and_with_it_its_copies(tmp_path: Path) -> None:
    make = Maker(1)
    bad = Made((make.layer(make.files(30, "usr")), make.layer(make.files(5, "opt"))), ("/opt/x", "--go"))
    copy = Made((*bad.layers, make.layer(make.files(3, "pad"))), bad.command)

    async def work(kinship: Kinship, store: Store) -> None:
        await scanned(kinship, store, bad, MALWARE)
        found = await scanned(kinship, store, copy)
        standing = await kinship.standing(found)
        assert standing.kin is not None
        assert standing.kin.reason == "malware: a miner (miner) in /bin/x"
        assert "kin of condemned image" in standing.objection

    Book(tmp_path).run(work)


def test_malware_in_a_listed_image_condemns_nobody(tmp_path: Path) -> None:
    make, book = Maker(2), Book(tmp_path)
    image = make.honest(make.base())
    book.list(image)

    async def work(kinship: Kinship, store: Store) -> None:
        await scanned(kinship, store, image, MALWARE)
        assert store.families.condemned() == []

    book.run(work)


def test_a_verdict_of_another_process_counts_at_the_next_question(tmp_path: Path) -> None:
    make = Maker(3)
    image = make.honest(make.base())

    async def work(kinship: Kinship, store: Store) -> None:
        found = await scanned(kinship, store, image)
        assert (await kinship.standing(found)).objection == ""
        store.families.condemn(found.image.id, 5.0, "seen mining", "person")
        assert (await kinship.standing(found)).objection == "it is condemned for: seen mining"
        store.families.pardon(found.image.id, 6.0, "it was not")
        assert (await kinship.standing(found)).objection == ""

    Book(tmp_path).run(work)


def test_new_version_inherits_until_its_ancestor_is_condemned_or_it_holds_malware(tmp_path: Path) -> None:
    make, book = Maker(4), Book(tmp_path)
    old = make.honest(make.base())
    new = Made((*old.layers, make.layer(make.files(1, "etc"))), old.command)
    other = Made((*old.layers, make.layer(make.files(1, "etc"))), ("/etc/other",))
    book.list(old)

    async def work(kinship: Kinship, store: Store) -> None:
        listed = await scanned(kinship, store, old)
        found, runs_other = await scanned(kinship, store, new), await scanned(kinship, store, other)
        heir = (await kinship.standing(found)).heir
        assert heir is not None
        assert heir.ancestor == listed.image.id
        assert heir.text.startswith("inherited from shop (share 0.")
        assert book.heirs[found.image.id] == heir
        assert (await kinship.standing(runs_other)).heir is None
        store.families.condemn(listed.image.id, 5.0, "it was broken into", "person")
        assert (await kinship.standing(found)).heir is None
        assert book.heirs[found.image.id] is None

    book.run(work)


def test_an_image_whose_report_does_not_pass_inherits_nothing(tmp_path: Path) -> None:
    make, book = Maker(5), Book(tmp_path)
    old = make.honest(make.base())
    new = Made((*old.layers, make.layer(make.files(1, "etc"))), old.command)
    book.list(old)

    async def work(kinship: Kinship, store: Store) -> None:
        await scanned(kinship, store, old)
        found = await scanned(kinship, store, new, MALWARE)
        standing = await kinship.standing(found)
        assert standing.condemned
        assert standing.heir is None

    book.run(work)


def test_base_whose_files_a_bad_image_brings_once_more_is_still_nobodys_own(tmp_path: Path) -> None:
    """Else one bad image would have everything refused that stands on the same base."""
    make = Maker(6)
    base = (make.layer(make.files(60, "usr")), make.layer(make.files(20, "usr/local")))
    pulled = Made(base, ("/bin/sh",))
    honest = Made((*base, make.layer(make.files(5, "srv"))), ("/srv/web",))
    own = make.files(5, "opt")
    again = {path: content for _, files in base for path, content in files.items()}
    bad = Made((*base, make.layer({**again, **own})), ("/opt/x", "--go"))
    copy = Made((*base, make.layer(own), make.layer(make.files(3, "pad"))), ("/opt/y",))

    async def work(kinship: Kinship, store: Store) -> None:
        known = report(pulled)
        store.put_image(structs.replace(known.image, repo_digests=(f"hub.example/os@{known.image.id}",)), 1.0)
        kinship.learn(pulled.fingerprint())
        innocent = await scanned(kinship, store, honest)
        await scanned(kinship, store, bad, MALWARE)
        assert (await kinship.standing(innocent)).objection == ""
        assert (await kinship.standing(await scanned(kinship, store, copy))).kin is not None

    Book(tmp_path).run(work)
