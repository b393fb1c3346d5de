"""Whether a version is among those that a person asks for. Pure."""

from pratique.advisories.ecosystem import scheme
from pratique.advisories.versions import version_key


def fits(ecosystem: str, version: str, operator: str, asked: str) -> bool:
    """Compare a version with one that was asked for, in the order of its ecosystem.

    :param operator: ``<``, ``<=`` or ``=``; ``""`` fits every version
    """
    order = scheme(ecosystem)
    match operator:
        case "":
            return True
        case "<":
            return version_key(order, version) < version_key(order, asked)
        case "<=":
            return version_key(order, version) <= version_key(order, asked)
        case _:
            return version == asked or version_key(order, version) == version_key(order, asked)
