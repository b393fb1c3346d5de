"""``pratique learn``: the traffic that was seen → an allow-list that a person reads and edits."""

import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from pratique.cli.listing import Age, Span, image_ids, image_names
from pratique.cli.output import emit, require_new
from pratique.config import Options, load
from pratique.errors import UsageError
from pratique.model import Severity
from pratique.policy import Document, Lesson, learn, read, render
from pratique.store import Store
from pratique.text import printable

_EXPECTED: Final = frozenset({"net.egress", "net.miner-port"})
"""Alerts that say no more than "this peer is not on the list", which is what learning is about."""
_DEFAULT_S: Final = 600.0


@click.command()
@click.option("--for", "seconds", type=Span(), metavar="SPAN", help="Watch for so long from now on.  [10m]")
@click.option("--since", type=Age(), metavar="AGE|TIME", help="Take what was recorded since then, and do not wait.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write to a new file.")
@click.option("--image", "names", multiple=True, metavar="NAME|ID", help="Only this image; repeatable.")
@click.option("--include-denied", is_flag=True, help="Learn refused traffic too: read the result with care.")
def command(
    seconds: float | None, since: float | None, output: Path | None, names: tuple[str, ...], include_denied: bool
) -> None:
    """Turn the traffic that was seen into an allow-list, merged over the policy of this host.

    Ctrl-C ends the watching early. Nothing is learnt from containers with an alert of severity high or worse.
    Nothing comes into force: read the result, then 'pratique policy apply FILE'.
    """
    if seconds is not None and since is not None:
        msg = "--for watches from now on and --since looks back: they exclude each other"
        raise UsageError(msg)
    require_new(output)
    options = load()
    document = read(options.policy_path) if options.policy_path.exists() else Document()
    with Store.open(options.store, read_only=True) as store:
        chosen = _chosen(store, names)
        if since is None:
            since = time.time()
            with suppress(KeyboardInterrupt):
                _watch(store, since, seconds or _DEFAULT_S)
        lesson = _learn(store, document, since, chosen, include_denied=include_denied)
        known = image_names(store)
    emit(render(lesson.document), output)
    _tell(lesson, known, output, options)


def _chosen(store: Store, names: tuple[str, ...]) -> set[str] | None:
    if not names:
        return None
    return {image_id for name in names for image_id in image_ids(store, name) or ()}


def _watch(store: Store, since: float, seconds: float) -> None:
    end = time.monotonic() + seconds
    click.echo(f"watching for {_clock(seconds)}; Ctrl-C ends early", err=True)
    while (left := end - time.monotonic()) > 0:
        if sys.stderr.isatty():
            flows = store.flows(since=since)
            images = len({record.flow.image for record in flows})
            click.echo(f"\r{_clock(left)} left, {len(flows)} flows of {images} images \033[K", nl=False, err=True)
        time.sleep(min(1.0, left))
    if sys.stderr.isatty():
        click.echo(err=True)


def _learn(store: Store, document: Document, since: float, chosen: set[str] | None, *, include_denied: bool) -> Lesson:
    names = image_names(store)
    suspects = {
        record.alert.container
        for record in store.alerts(since=since, at_least=Severity.HIGH)
        if record.alert.rule not in _EXPECTED and record.alert.container
    }
    images = {
        record.container.image: names.get(record.container.image) or record.container.image_reference
        for record in store.containers(gone=True)
        if (record.gone_at is None or record.gone_at >= since) and record.container.id not in suspects
    }
    return learn(
        document,
        [record.flow for record in store.flows(since=since)],
        {image_id: name for image_id, name in images.items() if chosen is None or image_id in chosen},
        suspects=suspects,
        include_denied=include_denied,
    )


def _tell(lesson: Lesson, names: dict[str, str], output: Path | None, options: Options) -> None:
    click.echo(
        f"{lesson.added} new rules, {lesson.known} peers were allowed already, {lesson.ignored} flows were not learnt",
        err=True,
    )
    for image_id in lesson.suspected:
        name = printable(names.get(image_id, image_id))
        click.echo(f"not learnt: what containers of {name} did that have alerts (see 'pratique alerts')", err=True)
    target = output or "FILE"
    click.echo(f"read it, then: pratique policy apply {target}  (now in force: {options.policy_path})", err=True)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
