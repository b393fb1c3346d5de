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
from pratique.model import Severity
from pratique.store import AlertRecord

_TOLD = (
    "sign",
    "file",
    "arguments",
    "address",
    "port",
    "protocol",
    "network",
    "reason",
    "found",
    "endpoint",
    "command",
)
"""The evidence that a line has room for; the JSON forms hold all of it."""


def _view(names: dict[str, str]) -> View:
    def row(record: AlertRecord) -> list[str]:
        alert = record.alert
        evidence = " ".join(f"{name}={alert.evidence[name]}" for name in _TOLD if name in alert.evidence)
        return [
            local_time(record.last_at),
            alert.severity.value,
            alert.action.value,
            alert.rule,
            ",".join(technique.id for technique in alert.techniques),
            alert.image_name or names.get(alert.image) or short(alert.image),
            alert.container_name or short(alert.container),
            f"{alert.title}: {evidence}" if evidence else alert.title,
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
