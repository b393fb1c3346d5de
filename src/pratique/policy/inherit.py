"""Whether an image may inherit from an entry, before anybody looks at what it is made of. Pure."""

from pratique.model import EgressMode, ImageIdentity
from pratique.policy.document import ImagePolicy, Inherit


def may_inherit(inherit: Inherit, entry: ImagePolicy, old: ImageIdentity | None, new: ImageIdentity) -> bool:
    """Tell whether a new image comes the way that heirs of an entry come.

    :param old: the listed image, as far as its origin is known
    """
    match inherit:
        case Inherit.NEVER:
            return False
        case Inherit.PULLED:
            return old is not None and bool(_repositories(old) & _repositories(new))
        case Inherit.ANY:  # anybody who reaches the API could make it: never give him more than a list of peers
            return entry.egress is EgressMode.ENFORCE


def _repositories(image: ImageIdentity) -> set[str]:
    return {digest.partition("@")[0] for digest in image.repo_digests}
