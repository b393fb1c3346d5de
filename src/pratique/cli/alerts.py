"""``pratique alerts``: what happened that a person should know."""

from functools import partial

import click

from pratique.cli.listing import (
    View,
    Window,
    flat,
    image_ids,
    image_names,
    local_time,
    open_store,
    short,
    window_options,
)
from pratique.model import Alert, Severity
from pratique.store import AlertRecord

_TOLD = ("sign", "network", "family", "asked", "reason", "found", "endpoint")
"""Evidence that speaks for itself; the JSON forms hold all of it."""


def _what(alert: Alert) -> str:
    """Return title and evidence as one line."""
    evidence = alert.evidence
    told = [evidence[name] for name in _TOLD if name in evidence]
    if "file" in evidence:
        told.append(evidence.get("arguments") or evidence["file"])
    if "address" in evidence and "network" not in evidence:
        told.append(f"{evidence.get('protocol', '')} {evidence['address']} port {evidence.get('port', '')}")
    if "command" in evidence and "file" not in evidence:
        told.append(f"by {evidence['command']}")
    return f"{alert.title}: {', '.join(told)}" if told else alert.title


def _view(names: dict[str, str]) -> View:
    def row(record: AlertRecord) -> list[str]:
        alert = record.alert
        return [
            local_time(record.last_at),
            alert.severity.value,
            alert.action.value,
            alert.rule,
            ",".join(technique.id for technique in alert.techniques),
            alert.image_name or names.get(alert.image) or short(alert.image),
            alert.container_name or short(alert.container),
            _what(alert),
            f"{record.count}x" if record.count > 1 else "",
        ]

    headings = ("WHEN", "SEVERITY", "ACTION", "RULE", "MITRE", "IMAGE", "CONTAINER", "WHAT", "TIMES")
    return View(headings, row, partial(flat, inner="alert"))


@click.command()
@click.option(
    "--severity",
    type=click.Choice([severity.value for severity in Severity]),
    default=Severity.UNKNOWN.value,
    help="At least this severity.",
)
@window_options
def command(window: Window, severity: str) -> None:
    """Show what happened that a person should know."""
    with open_store(window.state_dir) as store:
        images = image_ids(store, window.image)
        _view(image_names(store)).run(window, partial(store.alerts, images=images, at_least=Severity(severity)))
