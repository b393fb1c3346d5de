"""What containers opened, in the store."""

from pratique.model import Container, ImageCode, ImageId, PackageCode
from pratique.store import Store

IMAGE = ImageId("sha256:" + "a" * 64)
SSL = PackageCode("libssl3", "3.0", "Debian:12", "openssl", ("usr/lib/libssl.so.3",))
LEFT = PackageCode("left", "1.0", "npm", "", ("node_modules/left/index.js",))
WEB, NEW, GONE = "c" * 64, "d" * 64, "e" * 64


def filled(store: Store) -> Store:
    store.opened.put_code(ImageCode(IMAGE, 1.0, (SSL, LEFT)))
    for container in (WEB, GONE):
        store.opened.watch(container, IMAGE, 2.0)
        store.opened.put(container, SSL, SSL.paths[0], 3.0)
    return store


def test_code_comes_back_as_it_was_and_of_an_unknown_image_there_is_none(store: Store) -> None:
    assert filled(store).opened.code(IMAGE) == ImageCode(IMAGE, 1.0, (SSL, LEFT))
    assert store.opened.code("sha256:" + "b" * 64).packages == ()


def test_yes_no_and_nothing(store: Store) -> None:
    assert filled(store).opened.loaded([WEB, NEW], ["openssl"]) == {WEB: True}
    assert store.opened.loaded([WEB, NEW], ["libssl3", "other"]) == {WEB: True}
    assert store.opened.loaded([WEB, NEW], ["left"]) == {WEB: False}
    assert store.opened.loaded([WEB, NEW], ["other"]) == {}
    assert store.opened.loaded([], ["openssl"]) == {}


def test_the_first_file_stays(store: Store) -> None:
    filled(store).opened.put(WEB, SSL, "usr/lib/other.so", 9.0)
    (one,) = store.opened.opened([WEB], ["openssl"])
    assert (one.path, one.at, one.version) == (SSL.paths[0], 3.0, "3.0")


def test_thousands_of_containers_are_one_question(store: Store) -> None:
    filled(store)
    assert store.opened.loaded([WEB, *(f"{number:064x}" for number in range(3_000))], ["openssl"]) == {WEB: True}


def test_after_a_loss_nobody_says_no_and_what_is_gone_is_forgotten(store: Store) -> None:
    filled(store).opened.forget_watched()
    assert store.opened.loaded([WEB], ["left"]) == {}
    store.put_container(Container(id=GONE, name="gone", image=IMAGE), "unlisted", True, 1.0)
    store.container_gone(GONE, 5.0)
    store.opened.prune(6.0)
    assert store.opened.loaded([WEB, GONE], ["openssl"]) == {WEB: True}
