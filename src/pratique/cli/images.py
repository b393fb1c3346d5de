"""``pratique images``: the images on this host, what their reports count, and what they did in the sandbox."""

from collections.abc import Mapping
from typing import Any

import click

from pratique.cli.listing import View, flat, format_option, local_time, open_store, short, state_dir_option
from pratique.model import Behaviour
from pratique.store import ImageRecord

_HEADINGS = (
    "IMAGE",
    "ID",
    "SCANNED",
    "PACKAGES",
    "CRITICAL",
    "HIGH",
    "MEDIUM",
    "MALWARE",
    "SECRETS",
    "MISCONFIG",
    "UNREAD",
    "DETONATED",
    "LAST SEEN",
)


def _row(record: ImageRecord, verdicts: Mapping[str, Behaviour]) -> list[str]:
    report = record.report
    counts = ["-"] * 8
    if report is not None:
        numbers = (
            report.packages,
            report.critical,
            report.high,
            report.medium,
            report.malware,
            report.secrets,
            report.misconfigurations,
            report.unread,
        )
        counts = [str(number) for number in numbers]
    return [
        record.image.name,
        short(record.image.id),
        local_time(report.scanned_at if report else None),
        *counts,
        verdicts[record.image.id].value if record.image.id in verdicts else "-",
        local_time(record.last_seen),
    ]


def _document(record: ImageRecord, verdicts: Mapping[str, Behaviour]) -> dict[str, Any]:
    return {**flat(record, "image"), "detonated": verdicts.get(record.image.id)}


@click.command()
@format_option
@state_dir_option
def command(form: str, state_dir: str | None) -> None:
    """Show the images on this host, what their newest reports count, and what they did in the sandbox."""
    with open_store(state_dir) as store:
        verdicts = store.detonations.verdicts()
        view = View(_HEADINGS, lambda record: _row(record, verdicts), lambda record: _document(record, verdicts))
        view.show(store.images(), form)
