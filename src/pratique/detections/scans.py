"""Scans: many peers of one neighbourhood in a short time. State is bounded, time comes from the events."""

import ipaddress
from collections import OrderedDict
from functools import lru_cache
from typing import Final

from pratique.model import Direction, FlowEvent, FlowVerdict, Protocol

WINDOW_S: Final = 60.0
MAX_TRACKED: Final = 1024
"""Neighbourhoods under watch at once; the one that was quiet longest is forgotten first."""
UNLISTED_PEERS: Final = 10
"""So many different (address, port) against the policy, in one neighbourhood within the window, are a scan."""
ANY_PEERS: Final = 100
"""So many when allowed and learnt ones count as well: a broad rule must not hide a scan, fifty backends are none."""
_PRIVATE: Final = tuple(ipaddress.ip_network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))

Peer = tuple[str, int]


class ScanWatch:
    """Remembers who was talked to lately."""

    def __init__(self) -> None:
        self._peers: OrderedDict[tuple[str, str], OrderedDict[Peer, tuple[float, bool]]] = OrderedDict()
        self._under_way: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()
        """Who and in which subnet → when it was last seen, and the network of its alert."""

    def observe(self, who: str, event: FlowEvent) -> str:
        """Take one flow in; return the network that is being scanned when this flow completes a scan, else ``""``.

        :param who: the container
        """
        if event.direction is not Direction.EGRESS or event.protocol is Protocol.RAW:
            return ""
        network = _neighbourhood(event.address)
        if not network:
            return ""
        peers = self._track((who, network))
        peer = (event.address, event.port)
        violates = event.verdict in {FlowVerdict.DENIED, FlowVerdict.REPORTED}
        peers[peer] = (event.at, violates)
        peers.move_to_end(peer)
        while peers and next(iter(peers.values()))[0] < event.at - WINDOW_S:
            peers.popitem(last=False)
        if len(peers) < UNLISTED_PEERS:
            return ""
        violations = sum(violation for _, violation in peers.values())
        if violations < UNLISTED_PEERS and len(peers) < ANY_PEERS:
            return ""
        peers.clear()  # the next alert needs as many again: a long scan is told in portions, not for each packet
        self._go_on(who, event, network)
        return network

    def continues(self, who: str, event: FlowEvent) -> str:
        """Return the network of the scan under way that this flow is a part of, else ``""``: same subnet, no pause."""
        last, network = self._under_way.get((who, _subnet(event.address)), (0.0, ""))
        if not network or event.at - last > WINDOW_S:
            return ""
        self._go_on(who, event, network)
        return network

    def _go_on(self, who: str, event: FlowEvent, network: str) -> None:
        key = (who, _subnet(event.address))
        self._under_way[key] = (event.at, network)
        self._under_way.move_to_end(key)
        if len(self._under_way) > MAX_TRACKED:
            self._under_way.popitem(last=False)

    def _track(self, key: tuple[str, str]) -> OrderedDict[Peer, tuple[float, bool]]:
        peers = self._peers.setdefault(key, OrderedDict())
        self._peers.move_to_end(key)
        if len(self._peers) > MAX_TRACKED:
            self._peers.popitem(last=False)
        return peers


@lru_cache(maxsize=MAX_TRACKED)
def _subnet(address: str) -> str:
    """Return the /24 or the /64 that an address lies in."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 64), strict=False))


@lru_cache(maxsize=MAX_TRACKED)
def _neighbourhood(address: str) -> str:
    """Return the private range, the /24 or the /64 that an address lies in; ``""`` for what is nobody's neighbour."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if ip.is_loopback or ip.is_multicast or ip.is_unspecified:
        return ""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return _subnet(address)
        ip = ip.ipv4_mapped
    for private in _PRIVATE:
        if ip in private:
            return str(private)
    return _subnet(str(ip))
