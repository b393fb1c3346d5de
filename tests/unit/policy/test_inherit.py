"""Who may inherit, before anybody looks at contents."""

import pytest

from pratique.model import EgressMode, ImageId, ImageIdentity
from pratique.policy import ImagePolicy, Inherit, may_inherit

OLD = "sha256:" + "a" * 64
ENTRY = ImagePolicy(name="shop", ids=(OLD,))


def image(*repo_digests: str) -> ImageIdentity:
    return ImageIdentity(id=ImageId(OLD), references=("registry.example/shop:1",), repo_digests=repo_digests)


@pytest.mark.parametrize(
    ("old", "new", "may"),
    [
        (image("registry.example/shop@sha256:1"), image("registry.example/shop@sha256:2"), True),
        (image("registry.example/shop@sha256:1"), image("registry.example/evil@sha256:2"), False),
        (image("registry.example/shop@sha256:1"), image(), False),
        (image(), image(), False),  # the same tag: anybody can set that
        (None, image("registry.example/shop@sha256:2"), False),
    ],
)
def test_pulled_means_from_the_same_repository(old: ImageIdentity | None, new: ImageIdentity, may: bool) -> None:
    assert may_inherit(Inherit.PULLED, ENTRY, old, new) is may


def test_any_means_any_but_only_where_the_list_is_enforced() -> None:
    assert may_inherit(Inherit.ANY, ENTRY, None, image())
    learning = ImagePolicy(name="shop", ids=(OLD,), egress=EgressMode.LEARN)
    assert not may_inherit(Inherit.ANY, learning, None, image())


def test_never_means_never() -> None:
    assert not may_inherit(Inherit.NEVER, ENTRY, image("r/shop@sha256:1"), image("r/shop@sha256:1"))
