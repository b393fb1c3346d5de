"""An allow-list that travels with an image, beside its code. Pure.

Addresses of containers are different on every host, so a peer that is a container is named by its image; on a host it
stands for the addresses of that image's containers there. What is written is the same for the same behaviour: no
times, no counters, in order.
"""

import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from pratique.errors import PolicyError
from pratique.model import EgressMode, Protocol
from pratique.policy import strict
from pratique.policy.document import MAX_DOCUMENT_BYTES, MAX_RULES_PER_IMAGE, Allow, Document, ImagePolicy
from pratique.policy.write import block, scalar

PROFILE_VERSION: Final = 1
_MAX_IMAGES: Final = 1000
_MAX_PROGRAMS: Final = 10_000
_HINT: Final = "'pratique profile record' writes such a file; docs/profiles.md explains its keys"
_IMAGE_ID: Final = re.compile(r"sha256:[0-9a-f]{64}")
_HEAD: Final = """\
# An allow-list that travels with its images, as 'pratique profile record' saw it. Edit it as you like.
# 'pratique policy merge FILE' puts it into the policy of a host.
version: 1
images:{images}
"""


class Peer(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom an image may talk to: an address, or whatever runs from another image."""

    to: str = ""
    """An address or a CIDR; empty when ``image`` says who."""
    image: str = ""
    """The repository of the peer's image, without tag and digest."""
    service: str = ""
    """Which of that image's containers: the service in Compose or a swarm, else the container's name."""
    port: int = 0
    """0: any."""
    protocol: Protocol | None = None
    """None: any."""
    note: str = ""


class ProfiledImage(Struct, frozen=True, forbid_unknown_fields=True):
    """One image: whom it talked to, and what it ran."""

    name: str
    """Its reference when it was recorded; by this it is found on another host."""
    id: str = ""
    """Its id when it was recorded: evidence, and what finds it first."""
    peers: tuple[Peer, ...] = ()
    programs: tuple[str, ...] = ()
    """For whoever reads it; the kernel holds a container to what is in its image (``drift``)."""


class Owner(Struct, frozen=True, order=True):
    """Who is behind an address: what runs from an image, under the name of its service."""

    image: str
    """A repository."""
    service: str = ""
    """Empty: whatever runs from the image."""


class Profile(Struct, frozen=True, forbid_unknown_fields=True):
    """The document."""

    version: int = PROFILE_VERSION
    images: tuple[ProfiledImage, ...] = ()


class Merged(Struct, frozen=True):
    """What became of a profile on a host."""

    document: Document
    added: int
    """New rules."""
    absent: tuple[str, ...] = ()
    """Names of images that are not on this host."""
    unresolved: tuple[str, ...] = ()
    """``image → peer`` for peers that do not run here; their images are only monitored."""


def repository(reference: str) -> str:
    """Return a reference without tag and digest."""
    name = reference.partition("@")[0]
    head, slash, tail = name.rpartition("/")
    return f"{head}{slash}{tail.partition(':')[0]}"


def profile_of(
    learnt: Document, owners: Mapping[str, Owner], programs: Mapping[str, Collection[str]], notes: Mapping[str, str]
) -> Profile:
    """Return what was learnt as a profile.

    :param learnt: a document with an entry of one id for each image, as :func:`pratique.policy.learn` makes it
    :param owners: address → the container that had it
    :param programs: image id → paths of what its containers executed
    :param notes: address → what is known of it otherwise
    """
    return Profile(
        images=tuple(
            ProfiledImage(
                name=entry.name,
                id=entry.ids[0],
                peers=tuple(sorted({_peer(rule, owners, notes) for rule in entry.allow}, key=_order)),
                programs=tuple(sorted(programs.get(entry.ids[0], ()))[:_MAX_PROGRAMS]),
            )
            for entry in sorted(learnt.images, key=lambda entry: (entry.name, entry.ids))
        )
    )


def parse_profile(text: bytes, *, name: str = "profile") -> Profile:
    """Decode and check a profile.

    :raises PolicyError: naming the place
    """
    if len(text) > MAX_DOCUMENT_BYTES:
        msg = f"{name} is larger than {MAX_DOCUMENT_BYTES} bytes"
        raise PolicyError(msg, hint=_HINT)
    try:
        profile = strict.decode(text, Profile)
    except ValueError as error:
        msg = f"{name} is not a valid profile: {error}"
        raise PolicyError(msg, hint=_HINT) from error
    fault = _fault(profile)
    if fault:
        msg = f"{name}: {fault}"
        raise PolicyError(msg, hint=_HINT)
    return profile


def render_profile(profile: Profile) -> str:
    """Return a profile as YAML; :func:`parse_profile` reads back an equal one."""
    return _HEAD.format(images=block("\n".join(_image(image)) for image in profile.images))


def merge_profile(
    document: Document, profile: Profile, ids: Mapping[str, str], addresses: Mapping[Owner, Collection[str]]
) -> Merged:
    """Merge a profile over a host's policy: what is there stays, what is new is added.

    A new entry enforces, unless a peer is not known here: then it only monitors, so that nothing breaks unseen.

    :param ids: name of a profile's image → its id on this host
    :param addresses: who runs on this host → addresses; with an empty service, those of all that run from an image
    """
    entries = {image_id: entry for entry in document.images for image_id in entry.ids}
    absent, unresolved, added = [], [], 0
    for image in profile.images:
        image_id = ids.get(image.name)
        if image_id is None:
            absent.append(image.name)
            continue
        missing = [peer.image for peer in image.peers if peer.image and not _here(peer, addresses)]
        unresolved += [f"{image.name} → {peer}" for peer in missing]
        mode = EgressMode.MONITOR if missing else EgressMode.ENFORCE
        entry = entries.get(image_id) or ImagePolicy(name=image.name, ids=(image_id,), egress=mode)
        rules = _new_rules(entry, image.peers, addresses)
        added += len(rules)
        entries.update(dict.fromkeys(entry.ids, replace(entry, allow=(*entry.allow, *rules))))
    images = tuple({entry.ids: entry for entry in entries.values()}.values())
    return Merged(replace(document, images=images), added, tuple(absent), tuple(unresolved))


def _new_rules(
    entry: ImagePolicy, peers: Iterable[Peer], addresses: Mapping[Owner, Collection[str]]
) -> tuple[Allow, ...]:
    known = [(ipaddress.ip_network(rule.to), rule.protocol, rule.port) for rule in entry.allow]
    rules = []
    for peer in peers:
        note = peer.note or (f"{peer.service or 'anything'} from {peer.image}" if peer.image else "")
        for to in sorted(_here(peer, addresses)) if peer.image else [peer.to]:
            network = ipaddress.ip_network(to)
            if not any(
                network.version == other.version
                and network.subnet_of(other)  # type: ignore[arg-type]  # of one version, as just seen
                and protocol in {None, peer.protocol}
                and port in {0, peer.port}
                for other, protocol, port in known
            ):
                known.append((network, peer.protocol, peer.port))
                rules.append(Allow(to=to, port=peer.port, protocol=peer.protocol, note=note))
    return tuple(rules[: MAX_RULES_PER_IMAGE - len(entry.allow)])


def _here(peer: Peer, addresses: Mapping[Owner, Collection[str]]) -> Collection[str]:
    """Return the addresses of a peer that is an image: of its service, else of all that runs from it."""
    return addresses.get(Owner(peer.image, peer.service)) or addresses.get(Owner(peer.image)) or ()


def _peer(rule: Allow, owners: Mapping[str, Owner], notes: Mapping[str, str]) -> Peer:
    owner = owners.get(rule.to)
    if owner:
        return Peer(image=owner.image, service=owner.service, port=rule.port, protocol=rule.protocol)
    return Peer(to=rule.to, port=rule.port, protocol=rule.protocol, note=notes.get(rule.to, ""))


def _order(peer: Peer) -> tuple[str, str, str, int]:
    return peer.image, peer.service or peer.to, peer.protocol or "", peer.port


def _fault(profile: Profile) -> str:
    if profile.version != PROFILE_VERSION:
        return f"version {profile.version} is not known, only {PROFILE_VERSION}"
    if len(profile.images) > _MAX_IMAGES:
        return f"{len(profile.images)} images are more than {_MAX_IMAGES}"
    names: set[str] = set()
    for image in profile.images:
        fault = "is there twice" if image.name in names else _image_fault(image)
        if fault:
            return f"image {image.name!r} {fault}"
        names.add(image.name)
    return ""


def _image_fault(image: ProfiledImage) -> str:
    if image.id and not _IMAGE_ID.fullmatch(image.id):
        return f"has an id {image.id!r} that is not of the form sha256:<64 hex digits>"
    if len(image.peers) > MAX_RULES_PER_IMAGE or len(image.programs) > _MAX_PROGRAMS:
        return "has too many peers or programs"
    return next((f"has a peer: {fault}" for fault in map(_peer_fault, image.peers) if fault), "")


def _peer_fault(peer: Peer) -> str:
    if bool(peer.to) == bool(peer.image) or (peer.service and not peer.image):
        return "it needs either 'to', an address, or 'image', a repository, and then perhaps 'service'"
    if not 0 <= peer.port <= 65535 or (peer.port and peer.protocol is None):
        return f"port {peer.port} is not between 0 and 65535, or has no protocol"
    if peer.to:
        try:
            ipaddress.ip_network(peer.to)
        except ValueError as error:
            return f"{peer.to!r} is not an address or CIDR: {error}"
    return ""


def _image(image: ProfiledImage) -> Iterator[str]:
    yield f"  - name: {scalar(image.name)}"
    if image.id:
        yield f"    id: {scalar(image.id)}"
    yield "    peers:" + block(_line(peer) for peer in image.peers)
    yield "    programs:" + block(f"      - {scalar(program)}" for program in image.programs)


def _line(peer: Peer) -> str:
    fields = [f"image: {scalar(peer.image)}" if peer.image else f"to: {scalar(peer.to)}"]
    if peer.service:
        fields.append(f"service: {scalar(peer.service)}")
    if peer.port:
        fields.append(f"port: {peer.port}")
    if peer.protocol is not None:
        fields.append(f"protocol: {peer.protocol.value}")
    if peer.note:
        fields.append(f"note: {scalar(peer.note)}")
    return f"      - {{ {', '.join(fields)} }}"
