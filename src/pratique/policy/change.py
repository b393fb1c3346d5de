"""A policy with one thing changed, and which of its rules allows something. Pure."""

import ipaddress
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from pratique.model import EgressMode, Protocol
from pratique.policy.document import Allow, Document, ImagePolicy


def ruling(rules: Iterable[Allow], address: str, protocol: Protocol, port: int) -> Allow | None:
    """Return the rule that allows traffic with a peer, the narrowest first; None when none does.

    :raises ValueError: when the address is none
    """
    peer = ipaddress.ip_address(address)
    mapped = peer.ipv4_mapped if isinstance(peer, ipaddress.IPv6Address) else None
    peer = mapped or peer
    fitting = [
        (ipaddress.ip_network(rule.to).prefixlen, rule)
        for rule in rules
        if rule.protocol in {None, protocol}
        and rule.port in {0, port}
        and ipaddress.ip_network(rule.to).version == peer.version
        and peer in ipaddress.ip_network(rule.to)
    ]
    return max(fitting, key=lambda one: one[0])[1] if fitting else None


def allow_more(
    document: Document, image_id: str, name: str, rules: Sequence[Allow], *, egress: EgressMode | None = None
) -> Document:
    """Return the document in which an image may talk to more peers.

    An image that is not listed gets an entry that is otherwise what held for it until now; rules that are there
    already are not doubled.

    :param name: for the entry of an image that is not listed yet
    :param egress: the entry's mode from now on; None: as it is
    """
    entry = document.image(image_id)
    others = document.images
    if entry is None:
        unlisted = document.unlisted
        entry = ImagePolicy(
            name=name, ids=(image_id,), egress=unlisted.egress, drift=unlisted.drift, allow=unlisted.allow
        )
        others = (*document.images, entry)
    known = {(rule.to, rule.port, rule.protocol) for rule in entry.allow}
    new = [rule for rule in rules if (rule.to, rule.port, rule.protocol) not in known]
    changed = replace(entry, allow=(*entry.allow, *new), egress=egress or entry.egress)
    return replace(document, images=tuple(changed if one is entry else one for one in others))
