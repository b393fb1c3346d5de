"""Whether a container's successor talks to those to whom the container talked: by the flows that the kernel counts."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from pratique.errors import ReplaceError
from pratique.model import Direction, Flow, FlowVerdict, Protocol, Step
from pratique.store import Store

RECENT_S: Final = 60.0
"""What the old container did within this time before its replacement, the new one has to do again."""
_LOOK_EVERY_S: Final = 0.25
_CARRIED: Final = frozenset({Protocol.TCP, Protocol.UDP})

_NOBODY: Final[frozenset[str]] = frozenset()


class Peer(Struct, frozen=True):
    """Somebody whom a container talked to; of what comes in, who it was does not matter."""

    direction: Direction
    protocol: Protocol
    port: int
    who: frozenset[str] = _NOBODY
    """The services that had the address lately, since addresses are given out again; else the address itself."""

    def is_among(self, others: Iterable["Peer"]) -> bool:
        """Tell whether one of the others may be the same."""
        return any(
            (self.direction, self.protocol, self.port) == (other.direction, other.protocol, other.port)
            and (self.who == other.who or self.who & other.who)
            for other in others
        )

    def __str__(self) -> str:
        """Return it in words that end "did not …"."""
        if self.direction is Direction.INGRESS:
            return f"get {self.protocol} requests on {self.port}"
        return f"talk to {' or '.join(sorted(self.who))} on {self.protocol} {self.port}"


class Resumption:
    """The flows of the steps that are replaced together, as they were when it was made.

    :param plan: every step of the plan: replaced containers have lost their addresses, but flows to those are recent
    """

    def __init__(self, store: Store, steps: Iterable[Step], plan: Iterable[Step], began: float) -> None:
        self._store = store
        self._began = began
        self._steps = {step.container: step for step in steps}
        self._homes: dict[str, set[str]] = {}
        for step in plan:
            for network in ((step.inspected.get("NetworkSettings") or {}).get("Networks") or {}).values():
                for key in ("IPAddress", "GlobalIPv6Address"):
                    self._homes.setdefault(str(network.get(key)), set()).add(step.service)
        self._before = self._flows({step.old_image for step in self._steps.values()}, began - RECENT_S)

    async def wait(self, successors: Mapping[str, str], seconds: float) -> int:
        """Wait until every successor did what its predecessor did; return how many peers that were.

        :param successors: old container's id → new container's id
        :raises ReplaceError: when the kernel refuses a successor what its predecessor did not even try, or when some
            of it does not come within the time
        """
        images = {self._steps[old].new_image for old in successors}
        deadline = time.monotonic() + seconds
        while True:
            now = await asyncio.to_thread(self._flows, images, self._began)
            missing = [
                (self._steps[old].name, peer)
                for old, new in successors.items()
                for peer in self._expected(old)
                if not peer.is_among(self._peers(now, new))
            ]
            self._check_refusals(now, successors)
            if not missing:
                return sum(len(self._expected(old)) for old in successors)
            if time.monotonic() > deadline:
                name, what = missing[0]
                others = f", and {len(missing) - 1} more such" if len(missing) > 1 else ""
                msg = f"the new {name} did not {what} within {seconds:.0f} s, as the old one did{others}"
                raise ReplaceError(msg)
            await asyncio.sleep(_LOOK_EVERY_S)

    def _check_refusals(self, now: Iterable[Flow], successors: Mapping[str, str]) -> None:
        olds = {new: old for old, new in successors.items()}
        for flow in now:
            if flow.verdict is not FlowVerdict.DENIED or flow.container not in olds:
                continue
            old = olds[flow.container]
            if not self._peer(flow).is_among(self._peer(one) for one in self._before if one.container == old):
                msg = (
                    f"the kernel refused the new {self._steps[old].name} {flow.protocol} {flow.port} to {flow.address},"
                    " which the old one did not try"
                )
                raise ReplaceError(msg, hint="is it meant to? 'pratique learn' makes the rule for it")

    def _expected(self, old: str) -> frozenset[Peer]:
        """Return what counts: TCP and UDP, and of what comes in, what the container listened for."""
        return frozenset(
            peer
            for peer in self._peers(self._before, old)
            if peer.protocol in _CARRIED
            and (peer.direction is Direction.EGRESS or peer.port in self._steps[old].listens)
        )

    def _peers(self, flows: Iterable[Flow], container: str) -> frozenset[Peer]:
        return frozenset(
            self._peer(flow) for flow in flows if flow.container == container and flow.verdict is not FlowVerdict.DENIED
        )

    def _peer(self, flow: Flow) -> Peer:
        if flow.direction is Direction.INGRESS:
            return Peer(flow.direction, flow.protocol, flow.port)
        who = frozenset(self._homes.get(flow.address, ())) or frozenset({flow.address})
        return Peer(flow.direction, flow.protocol, flow.port, who)

    def _flows(self, images: Iterable[str], since: float) -> list[Flow]:
        # a container that stopped has no address any more, and what it had may be another's: the store knows since when
        for address, services in self._store.graph.homes(self._began - RECENT_S).items():
            self._homes.setdefault(address, set()).update(services)
        return [record.flow for record in self._store.flows(since=since, images=set(images))]
