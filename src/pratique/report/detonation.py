"""A detonation for people: the verdict, what was seen, the allow-list and the processes that it proposes."""

import ipaddress
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from pratique.model import Detonation, Finding, WantedPeer
from pratique.policy import Allow, render_rule
from pratique.report.escape import json_document, sound
from pratique.report.table import DEFAULT_WIDTH
from pratique.text import printable

_MIN_WIDTH: Final = 60
_MAX_LISTED: Final = 40
"""Lines of the allow-list or the profile; the JSON document has all."""


def render_detonation(detonation: Detonation, *, width: int = DEFAULT_WIDTH) -> str:
    """Return a detonation as plain text within ``width`` columns, where words allow it."""
    width = max(width, _MIN_WIDTH)
    lines = [*_head(detonation, width)]
    if detonation.findings:
        lines += ["", f"BEHAVIOUR ({len(detonation.findings)})"]
        for finding in detonation.findings:
            lines += _finding(finding, width)
    lines += ["", "PROPOSED ALLOW-LIST"]
    lines += [f"  {line}" for line in allow_list(detonation.peers)]
    lines += ["", f"PROCESSES ({len(detonation.programs)})"]
    lines += [f"  {path}" for path in detonation.programs[:_MAX_LISTED]]
    if len(detonation.programs) > _MAX_LISTED:
        lines.append(f"  … and {len(detonation.programs) - _MAX_LISTED} more")
    return "\n".join(printable(line.rstrip()) for line in lines) + "\n"


def render_detonation_json(detonation: Detonation) -> str:
    """Return a detonation as the versioned document."""
    return json_document(sound(msgspec.to_builtins(detonation)))


def allow_list(peers: tuple[WantedPeer, ...]) -> Iterator[str]:
    """Yield the lines of a policy entry; a name stands as a comment, since the kernel knows only addresses."""
    if not peers:
        yield "allow: []                           # it wanted to talk to nobody"
        return
    lines = [_line(peer) for peer in peers[:_MAX_LISTED]]
    yield "allow:" if any(not line.startswith("#") for line in lines) else "allow: []"
    yield from lines
    if len(peers) > _MAX_LISTED:
        yield f"# … and {len(peers) - _MAX_LISTED} more"


def _line(peer: WantedPeer) -> str:
    port = max(0, peer.port)
    if _is_address(peer.to):
        return render_rule(Allow(to=peer.to, port=port, protocol=peer.protocol), indent="  ")
    return f"# - {{ to: addresses of {peer.to}, port: {port}, protocol: {peer.protocol} }}"


def _head(detonation: Detonation, width: int) -> Iterator[str]:
    yield f"image         {detonation.image.name}"
    yield f"id            {detonation.image.id}"
    yield f"command       {' '.join(detonation.command)}"[: 4 * width]
    ran = f"{detonation.duration_s:.1f} s, {detonation.cpu_s:.1f} s of processor"
    slept = f", {detonation.slept_s:.0f} s of sleep skipped" if detonation.slept_s >= 1 else ""
    yield f"ran           {datetime.fromtimestamp(detonation.detonated_at, UTC):%Y-%m-%d %H:%M} UTC for {ran}{slept}"
    if detonation.omitted:
        yield f"lost          {detonation.omitted} events"
    yield from textwrap.wrap(
        f"verdict       {detonation.verdict}: {detonation.reason}", width, subsequent_indent=" " * 14
    )


def _finding(finding: Finding, width: int) -> Iterator[str]:
    yield f"  {finding.severity.value:<10}{finding.rule}"
    yield from _wrapped(finding.title, width)
    if finding.evidence:
        yield from _wrapped(f"seen: {finding.evidence}", width)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=" " * 12, subsequent_indent=" " * 14)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
