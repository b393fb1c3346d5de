"""What images are made of and who is condemned, in the store."""

from pratique.family import own_elements
from pratique.model import ImageIdentity
from pratique.store import Store
from tests.unit.family.population import Made, Maker


def keep(store: Store, image: Made) -> str:
    fingerprint = image.fingerprint()
    store.put_image(ImageIdentity(id=fingerprint.image, layers=fingerprint.layers), 1.0)
    store.families.put(fingerprint, own_elements(fingerprint).elements)
    return fingerprint.image


def test_a_fingerprint_comes_back_as_it_was(store: Store) -> None:
    make = Maker(1)
    image = make.honest(make.base())
    image_id = keep(store, image)
    assert store.families.fingerprint(image_id) == image.fingerprint()
    assert store.families.has(image_id)
    assert not store.families.has("sha256:" + "0" * 64)


def test_candidates_are_found_in_padding_and_without_their_base(store: Store) -> None:
    make = Maker(2)
    base = make.base()
    image = make.honest(base)
    image_id = keep(store, image)
    for _ in range(20):
        keep(store, make.honest(make.base()))
    own = {path: content for _, files in image.layers[len(base) :] for path, content in files.items()}
    padded = Made((make.layer(make.files(2_000, "pad")), make.layer(own)))
    assert store.families.candidates(padded.fingerprint())[0] == image_id


def test_putting_it_again_changes_nothing(store: Store) -> None:
    make = Maker(3)
    image = make.honest(make.base())
    image_id = keep(store, image)
    keep(store, image)
    assert store.families.commands() == {image_id: image.fingerprint().recipe.bucket()}


def test_the_first_reason_stays_and_a_pardon_is_taken_back_by_a_person_only(store: Store) -> None:
    families, image = store.families, "sha256:" + "a" * 64
    families.condemn(image, 1.0, "malware", "malware")
    families.condemn(image, 2.0, "behaviour", "detonation")
    assert [(one.reason, one.at) for one in families.condemned()] == [("malware", 1.0)]
    families.pardon(image, 3.0, "a false alarm")
    assert families.condemned() == []
    families.condemn(image, 4.0, "malware", "malware")
    assert families.condemned() == []
    families.condemn(image, 5.0, "it is bad after all", "person")
    assert [one.reason for one in families.condemned()] == ["it is bad after all"]
