"""``pratique decisions``: what the guard decided, and whether the log is whole."""

from functools import partial

import click

from pratique.cli.listing import View, Window, flat, image_ids, local_time, open_store, short, window_options
from pratique.errors import StoreError
from pratique.store import DecisionRecord, Store


def _row(record: DecisionRecord) -> list[str]:
    decision = record.decision
    return [
        str(record.id),
        local_time(decision.at),
        decision.verdict.value,
        decision.rule,
        decision.subject,
        short(decision.image),
        decision.source,
        decision.reason,
    ]


VIEW = View(
    ("ID", "WHEN", "VERDICT", "RULE", "SUBJECT", "IMAGE", "SOURCE", "REASON"), _row, partial(flat, inner="decision")
)


@click.command()
@click.option("--verify", is_flag=True, help="Check the hash chain of the whole log.")
@window_options
def command(window: Window, verify: bool) -> None:
    """Show what the guard decided.

    Each record carries a hash over itself and the one before. Whoever can write the store can forge the whole chain:
    keep the head that --verify prints elsewhere, and compare.
    """
    with open_store(window.state_dir) as store:
        if verify:
            _verify(store)
        else:
            VIEW.run(window, partial(store.decisions, images=image_ids(store, window.image)))


def _verify(store: Store) -> None:
    check = store.verify_decisions()
    if check.broken:
        msg = f"the log of decisions is broken at record {check.broken}: {check.reason}"
        raise StoreError(msg, hint="keep the store for inquiry; the records before this one are sound")
    click.echo(f"{check.count} decisions, chain intact, head {check.head}")
