"""``pratique images``: the images on this host and what their reports count."""

import click

from pratique.cli.listing import View, flat, format_option, local_time, open_store, short, state_dir_option
from pratique.store import ImageRecord


def _row(record: ImageRecord) -> list[str]:
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
        local_time(record.last_seen),
    ]


VIEW = View(
    (
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
        "LAST SEEN",
    ),
    _row,
    lambda record: flat(record, "image"),
)


@click.command()
@format_option
@state_dir_option
def command(form: str, state_dir: str | None) -> None:
    """Show the images on this host and what their newest reports count."""
    with open_store(state_dir) as store:
        VIEW.show(store.images(), form)
