"""From the policy document to what the kernel enforces. Pure."""

import ipaddress
from typing import Final

from pratique.model import DriftMode, EgressMode, EgressRule, KernelPolicy
from pratique.policy.document import Allow, Document

UNLISTED_POLICY = 0
"""The kernel's policy number for whatever has no entry of its own."""
QUARANTINE: Final = KernelPolicy(id=0xFFFFFFFF, egress=EgressMode.ENFORCE, drift=DriftMode.KILL, isolated=True)
"""What holds for a container in quarantine, whatever its image."""


def compile_policies(document: Document) -> dict[str, KernelPolicy]:
    """Return the kernel policy of each image id; the key ``""`` holds the policy for everything else (number 0)."""
    compiled = {
        "": KernelPolicy(
            id=UNLISTED_POLICY,
            egress=document.unlisted.egress,
            drift=document.unlisted.drift,
            rules=_rules(document.unlisted.allow),
        )
    }
    for number, entry in enumerate(document.images, start=1):
        policy = KernelPolicy(
            id=number,
            egress=entry.egress,
            drift=entry.drift,
            rules=_rules(entry.allow),
            allow_changed_metadata=entry.allow_changed_metadata,
        )
        compiled.update(dict.fromkeys(entry.ids, policy))
    return compiled


def _rules(allow: tuple[Allow, ...]) -> tuple[EgressRule, ...]:
    return tuple(
        EgressRule(network=str(ipaddress.ip_network(rule.to)), protocol=rule.protocol, port=rule.port) for rule in allow
    )
