"""The policy in force, what could be added to it, and a person's word on that."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from pratique.errors import UsageError
from pratique.hub.desk import Desk
from pratique.hub.problems import ConflictError
from pratique.hub.views.asks import Hours, ImageKey, Nothing, Text
from pratique.hub.views.images import find
from pratique.hub.views.overview import PolicyState, policy_state
from pratique.model import EgressMode, Flow, FlowVerdict, Protocol, Severity, Verdict
from pratique.pipelines.change_policy import StaleError, await_live, change_policy, only_writer, policy_decision
from pratique.policy import Allow, Document, ImagePolicy, allow_more, learn
from pratique.policy.document import read_text
from pratique.store import AlertRecord
from pratique.store.pages import Filter

_Peer: TypeAlias = tuple[str, Protocol | None, int]
_EXPECTED: Final = frozenset({"net.egress", "net.miner-port"})
"""Alerts that say no more than "this peer is not on the list", which is what learning is about."""
_MAX_FLOWS: Final = 20_000
_MAX_ALERTS: Final = 5_000
_MAX_REFUSED: Final = 5_000
_MAX_IMAGES: Final = 30
_MAX_PROPOSALS: Final = 50
"""For one image: more nobody reads; what is accepted makes room for the rest."""
_MAX_CONTAINERS: Final = 5
_LIVE_WITHIN_S: Final = 3.0
_REFUSED_STATE: Final = "console_refused"
"""The store's state in which the proposals stand that a person has answered with no."""


class PolicyView(Struct, frozen=True):
    """The policy file."""

    state: PolicyState
    document: Document
    text: str


class ProposalsAsk(Struct, frozen=True):
    """How far to look back, and for which image."""

    hours: Hours = 24
    image: Text = ""


class Proposal(Struct, frozen=True):
    """A rule that could be added, and why."""

    rule: Allow
    """Its ``note`` tells when the traffic was seen, how much, and by which programs."""
    containers: tuple[str, ...]
    """Names of some of the containers that asked for it."""
    first_seen: float
    last_seen: float
    packets: int
    refused: bool
    """The kernel refused it; else it was let through to be learnt or reported."""


class ImageProposals(Struct, frozen=True):
    """What could be added to one image's entry."""

    image: str
    name: str
    listed: bool
    egress: EgressMode
    known: int
    """Rules that are there."""
    suspected: bool
    """A container of it has alerts of severity high or worse: nothing is proposed from that one."""
    proposals: tuple[Proposal, ...]
    omitted: int
    """More than are listed."""


class ProposalList(Struct, frozen=True):
    """The review: every image for which something could be added."""

    sha256: str
    """Of the policy file that this was compared with; pass it on as ``expected``."""
    state: PolicyState
    images: tuple[ImageProposals, ...]
    complete: bool
    """False: there was more than is told; the newest is."""


class AllowRule(Struct, frozen=True, forbid_unknown_fields=True):
    """One line of an allow-list."""

    to: Annotated[str, Meta(max_length=64)]
    protocol: Protocol | None = None
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    note: Annotated[str, Meta(max_length=500)] = ""


class AllowAsk(Struct, frozen=True):
    """What a person allows."""

    image: ImageKey
    rules: Annotated[tuple[AllowRule, ...], Meta(max_length=200)] = ()
    enforce: bool = False
    """From now on refuse what is not listed."""
    expected: Annotated[str, Meta(max_length=64)] = ""
    """The SHA-256 of the policy that the person saw; another one in the meantime is a conflict."""


class RefuseAsk(Struct, frozen=True):
    """What a person goes on refusing; it is no longer proposed."""

    image: ImageKey
    rules: Annotated[tuple[AllowRule, ...], Meta(min_length=1, max_length=200)]


class Done(Struct, frozen=True):
    """What came of it."""

    told: str
    """For people."""
    live: bool
    """It holds in the kernel now."""
    sha256: str = ""


def policy(desk: Desk, ask: Nothing) -> PolicyView:
    """Return the policy file."""
    del ask
    text = read_text(desk.policy_path).decode("utf-8", "replace") if desk.policy_path.exists() else ""
    return PolicyView(state=policy_state(desk), document=desk.policy(), text=text)


def proposals(desk: Desk, ask: ProposalsAsk) -> ProposalList:
    """Return what could be added to the allow-lists, with the evidence."""
    document, digest = desk.policy_and_digest()
    since = desk.now() - ask.hours * 3600.0
    only = Filter(since=since, images=(find(desk, ask.image).image.id,) if ask.image else None)
    flows = [record.flow for record in desk.store.pages.flows(_MAX_FLOWS, only=only)]
    suspects = _suspects(desk.store.pages.alerts(_MAX_ALERTS, only=Filter(since=since, at_least=Severity.HIGH.rank)))
    by_image: dict[str, list[Flow]] = {}
    for flow in flows:
        by_image.setdefault(flow.image, []).append(flow)
    by_image.pop("", None)
    names = desk.store.pages.names(by_image)
    review = _Review(document, suspects, frozenset(_refused(desk)))
    found: list[ImageProposals] = []
    for image, own in by_image.items():
        if len(found) == _MAX_IMAGES:
            break
        proposed = review.of(image, names.get(image, image), own)
        if proposed.proposals:
            found.append(proposed)
    wanted = {container for one in found for proposal in one.proposals for container in proposal.containers}
    called = desk.store.pages.container_names(wanted)
    return ProposalList(
        sha256=digest,
        state=policy_state(desk),
        images=tuple(_named(one, called) for one in found),
        complete=len(flows) < _MAX_FLOWS and len(found) < _MAX_IMAGES,
    )


def allow(desk: Desk, ask: AllowAsk) -> Done:
    """Add rules to an image's entry, and wait until they hold.

    :raises ConflictError: when the policy is not the one that the person saw
    """
    image = find(desk, ask.image).image
    rules = [Allow(to=rule.to, port=rule.port, protocol=rule.protocol, note=rule.note) for rule in ask.rules]
    peers = ", ".join(_shown(rule) for rule in ask.rules[:5]) + (" …" if len(ask.rules) > 5 else "")
    mode = EgressMode.ENFORCE if ask.enforce else None
    subject = f"allow {image.name}: {peers}" if rules else f"enforce the list of {image.name}"
    decision = policy_decision(
        Verdict.ALLOW, "policy.allow", subject, desk.actor, image=image.id, reason="accepted in the console"
    )
    try:
        digest = change_policy(
            desk.policy_path,
            desk.store,
            lambda document: allow_more(document, image.id, image.name, rules, egress=mode),
            decision,
            expected=ask.expected,
        )
    except StaleError as error:
        raise ConflictError(error.what) from error
    live = await_live(desk.store, desk.run_dir, digest, _LIVE_WITHIN_S)
    where = "live in the kernel" if live else "written; it holds as soon as an agent runs"
    return Done(told=f"{subject}: {where}", live=live, sha256=digest)


def refuse(desk: Desk, ask: RefuseAsk) -> Done:
    """Note that a person wants traffic refused as before: it is no longer proposed.

    :raises UsageError: when a rule is about what is no address
    """
    image = find(desk, ask.image).image
    keys = [_key(image.id, rule) for rule in ask.rules]
    for rule in ask.rules:
        _require_address(rule.to)
    peers = ", ".join(_shown(rule) for rule in ask.rules[:5])
    decision = policy_decision(
        Verdict.DENY, "policy.refuse", f"go on refusing {image.name}: {peers}", desk.actor, image=image.id, reason=""
    )
    with only_writer(desk.policy_path.parent):  # of two at the same time, neither is forgotten
        known = [one for one in _refused(desk) if one not in keys] + keys
        desk.store.append_decisions([decision])
        desk.store.set_state(_REFUSED_STATE, msgspec.json.encode(known[-_MAX_REFUSED:]).decode())
    return Done(told=f"{image.name} is not proposed {peers} again", live=True)


class _Review:
    """Compares what images did with their entries; what would be learnt is exactly what 'pratique learn' would."""

    def __init__(self, document: Document, suspects: set[str], refused: frozenset[tuple[str, ...]]) -> None:
        self._entries = {image: entry for entry in document.images for image in entry.ids}
        self._unlisted = document.unlisted
        self._suspects = suspects
        self._refused = refused

    def of(self, image: str, name: str, flows: Sequence[Flow]) -> ImageProposals:
        """Return what could be added for one image; its containers are told by their ids."""
        rest = self._unlisted
        entry = self._entries.get(image) or ImagePolicy(name, (image,), rest.egress, rest.drift, rest.allow)
        own = Document(images=(replace(entry, ids=(image,)),))
        lesson = learn(own, flows, {image: name}, suspects=self._suspects, include_denied=True)
        new = lesson.document.images[0].allow[len(entry.allow) :]
        fitting = [rule for rule in new if _key(image, rule) not in self._refused]
        evidence: dict[_Peer, list[Flow]] = {}
        for flow in flows:
            if flow.container not in self._suspects:
                evidence.setdefault(_peer(flow), []).append(flow)
        return ImageProposals(
            image=image,
            name=name,
            listed=image in self._entries,
            egress=entry.egress,
            known=len(entry.allow),
            suspected=bool(lesson.suspected),
            proposals=tuple(
                _proposal(rule, evidence.get((rule.to, rule.protocol, rule.port), []))
                for rule in fitting[:_MAX_PROPOSALS]
            ),
            omitted=max(0, len(fitting) - _MAX_PROPOSALS),
        )


def _proposal(rule: Allow, flows: Sequence[Flow]) -> Proposal:
    return Proposal(
        rule=rule,
        containers=tuple(sorted({flow.container for flow in flows}))[:_MAX_CONTAINERS],
        first_seen=min((flow.first_seen for flow in flows), default=0.0),
        last_seen=max((flow.last_seen for flow in flows), default=0.0),
        packets=sum(flow.packets for flow in flows),
        refused=all(flow.verdict is FlowVerdict.DENIED for flow in flows),
    )


def _named(found: ImageProposals, called: Mapping[str, str]) -> ImageProposals:
    """Return the same with the names of the containers in place of their ids."""
    return replace(
        found,
        proposals=tuple(
            replace(
                one, containers=tuple(sorted({called.get(container, container[:12]) for container in one.containers}))
            )
            for one in found.proposals
        ),
    )


def _peer(flow: Flow) -> _Peer:
    address = ip_address(flow.address)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address), flow.protocol, flow.port


def _suspects(alerts: Iterable[AlertRecord]) -> set[str]:
    return {
        record.alert.container for record in alerts if record.alert.rule not in _EXPECTED and record.alert.container
    }


def _refused(desk: Desk) -> list[tuple[str, ...]]:
    try:
        return msgspec.json.decode(desk.store.state(_REFUSED_STATE) or "[]", type=list[tuple[str, ...]])
    except msgspec.DecodeError:
        return []


def _require_address(text: str) -> None:
    try:
        ip_network(text, strict=False)
    except ValueError as error:
        msg = f"{text!r} is no address or network"
        raise UsageError(msg) from error


def _key(image: str, rule: Allow | AllowRule) -> tuple[str, ...]:
    return image, rule.to, rule.protocol.value if rule.protocol else "", str(rule.port)


def _shown(rule: AllowRule) -> str:
    protocol = f"{rule.protocol.value} " if rule.protocol else ""
    return f"{protocol}{rule.to}{f':{rule.port}' if rule.port else ''}"
