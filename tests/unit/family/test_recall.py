"""The promise in numbers: re-builds of condemned images are recognised, strangers on the same base are not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pratique.family import find_kin, own_elements
from pratique.model import ImageIdentity
from pratique.pipelines.lineage import Lineage, read_lineage
from pratique.policy import Document, ImagePolicy
from pratique.store import Store
from tests.unit.family.population import Files, Made, Maker

QUIET = "while :; do probe tcp 10.1.2.3 443 hello; sleep 5; done"
SEED = 20261124


class Host:
    """A host on which some images are known and some condemned."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.listed: list[str] = []

    def add(self, image: Made, at: float, *, listed: bool = False) -> str:
        fingerprint = image.fingerprint()
        self.store.put_image(ImageIdentity(id=fingerprint.image, layers=fingerprint.layers), at)
        self.store.families.put(fingerprint, own_elements(fingerprint).elements)
        if listed:
            self.listed.append(fingerprint.image)
        return fingerprint.image

    def condemn(self, image: Made, at: float) -> None:
        self.store.families.condemn(self.add(image, at), at, "it mines", "person")

    def lineage(self) -> Lineage:
        entries = (ImagePolicy(name="honest", ids=tuple(self.listed)),) if self.listed else ()
        return read_lineage(self.store, Document(images=entries))


@contextmanager
def host(path: Path) -> Iterator[Host]:
    with Store.open(path / "s.db") as store:
        yield Host(store)


class Scene:
    """Five bases, thirty honest images of which a few are listed, and five condemned ones of every sort."""

    def __init__(self, host: Host, seed: int) -> None:
        make = self.make = Maker(seed)
        self.host = host
        self.bases = [make.base() for _ in range(5)]
        self.honest = [make.honest(self.bases[number % 5]) for number in range(30)]
        for number, image in enumerate(self.honest):
            host.add(image, at=1.0, listed=number % 3 == 0)
        base, victim = self.bases[0], self.honest[0]
        miner: Files = {"usr/bin/xm": (make.name(), 900_000), "etc/xm.json": (make.name(), 700)}
        self.condemned: list[tuple[Made, int]] = [
            (Made((*base, make.layer(miner)), ("/usr/bin/xm", "10.1.2.3")), 1),
            (Made(tuple(base), ("/bin/sh", "-c", QUIET)), 0),
            (Made((*self.bases[1], make.layer(make.files(40, "opt")), make.layer(make.files(9, "root")))), 2),
            (Made((*self.bases[2], make.layer(make.files(300, "opt/kit")))), 1),
            (Made((*victim.layers, make.layer({"usr/lib/k": (make.name(), 4_000_000)})), victim.command), 1),
        ]
        for image, _ in self.condemned:
            host.condemn(image, at=2.0)


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
def test_200_rebuilds_of_5_condemned_images_are_recognised(tmp_path: Path, seed: int) -> None:
    with host(tmp_path) as here:
        scene = Scene(here, seed)
        lineage = here.lineage()
        missed = []
        for number in range(200):
            image, own = scene.condemned[number % 5]
            copy = scene.make.mutated(image, own, scene.make.random.choice(scene.bases))
            kin = find_kin(copy.fingerprint(), lineage.marrows)
            if kin is None or kin.condemned != image.fingerprint().image:
                missed.append((number % 5, kin))
        assert len(missed) <= 4, missed


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
def test_200_strangers_on_the_same_bases_are_nobodys_kin(tmp_path: Path, seed: int) -> None:
    with host(tmp_path) as here:
        scene = Scene(here, seed)
        lineage = here.lineage()
        strangers = [scene.make.honest(scene.bases[number % 5]) for number in range(200)]
        kin = [found for one in strangers if (found := find_kin(one.fingerprint(), lineage.marrows)) is not None]
        assert len(kin) <= 1, kin


def test_an_honest_image_and_its_next_versions_are_not_kin_of_the_copy_with_a_miner_in_it(tmp_path: Path) -> None:
    with host(tmp_path) as here:
        scene = Scene(here, SEED)
        lineage = here.lineage()
        victim = scene.honest[0]
        for _ in range(20):
            new = scene.make.mutated(victim, own=1, other_base=scene.bases[0])
            assert find_kin(new.fingerprint(), lineage.marrows) is None
