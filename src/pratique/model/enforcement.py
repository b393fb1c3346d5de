"""What the kernel is to enforce for one image: the policy room compiles it, the sensor room loads it."""

from enum import StrEnum

from msgspec import Struct

from pratique.model.flow import Protocol


class EgressMode(StrEnum):
    """What happens to traffic that no rule allows."""

    LEARN = "learn"
    """Let it through and record it."""
    MONITOR = "monitor"
    """Let it through and raise an alert."""
    ENFORCE = "enforce"
    """Refuse it and raise an alert."""


class DriftMode(StrEnum):
    """What happens when something is executed that was not in the image."""

    ALERT = "alert"
    KILL = "kill"


class EgressRule(Struct, frozen=True):
    """One line of an allow-list."""

    network: str
    """CIDR, IPv4 or IPv6, in the canonical form of :mod:`ipaddress`."""
    protocol: Protocol | None
    """``None``: any."""
    port: int = 0
    """Peer's port; 0: any. ICMP: the type, 0: any. Raw: the IP protocol number, 0: any."""


class KernelPolicy(Struct, frozen=True):
    """All that the kernel needs for one image. ``id`` 0 is for whatever has no policy of its own."""

    id: int
    egress: EgressMode
    drift: DriftMode
    rules: tuple[EgressRule, ...] = ()
    allow_changed_metadata: bool = False
    """Files of the image whose owner or mode a container changed may run, if size and mtime are still the image's."""
    isolated: bool = False
    """Quarantine: no packet leaves or arrives, whatever the rules say; only a loopback of one's own is left."""
