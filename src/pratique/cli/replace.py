"""``pratique replace``: everything that runs an image, or has a vulnerability, by something that does not."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import Struct

from pratique.cli.asking import asker
from pratique.cli.listing import Span, View, format_option, local_time, open_store, print_table, short
from pratique.config import Options, load
from pratique.errors import UsageError
from pratique.model import ImageId, Plan, Report
from pratique.pipelines.prepare import scan_workers
from pratique.pipelines.presence import agent_runs
from pratique.pipelines.replace_plan import Planner, Question
from pratique.pipelines.replacement import Replacement, Terms
from pratique.pipelines.scan import scan_engine_image
from pratique.policy import Document, read
from pratique.responders import Patience
from pratique.runtime import Engine
from pratique.store import Store
from pratique.text import printable

VIEW = View(
    ("PLAN", "MADE", "FOR", "STEPS", "DONE", "STATE"),
    lambda plan: [
        plan.id,
        local_time(plan.at),
        plan.question,
        str(len(plan.steps)),
        str(sum(step.state == "done" for step in plan.steps)),
        plan.state.value,
    ],
    lambda plan: {**msgspec.to_builtins(plan), "steps": [_brief(step) for step in msgspec.to_builtins(plan.steps)]},
)


class Asked(Struct, frozen=True):
    """What the options say."""

    cve: str
    image: str
    successor: str
    only_plan: bool
    do_apply: bool
    go_on: str
    undo: str
    listing: bool
    healthy_within: float
    drain: float
    resume_within: float
    form: str


@click.command()
@click.option("--cve", default="", metavar="ID", help="Replace what has this vulnerability.")
@click.option("--image", default="", metavar="NAME|ID", help="Replace what runs this image.")
@click.option("--with", "successor", default="", metavar="NAME|ID", help="By this one.  [newest of the repository]")
@click.option("--plan", "only_plan", is_flag=True, help="Show and save the plan; this is the default.")
@click.option("--apply", "do_apply", is_flag=True, help="Show and save the plan, and carry it out.")
@click.option("--continue", "go_on", default="", metavar="PLAN", help="Carry out a saved plan, from where it stands.")
@click.option("--undo", default="", metavar="PLAN", help="Put the old containers of an unfinished plan back.")
@click.option("--list", "listing", is_flag=True, help="Show the plans.")
@click.option("--healthy-within", type=Span(), default="60s", show_default=True, metavar="SPAN", help="For each.")
@click.option("--drain", type=Span(), default="10s", show_default=True, metavar="SPAN", help="For open connections.")
@click.option(
    "--resume-within", type=Span(), default="60s", show_default=True, metavar="SPAN", help="For flows; 0s: not."
)
@format_option
def command(**given: Any) -> None:
    """Replace containers by fixed ones, service by service, without an interruption where that can be.

    \b
    What would be done:        pratique replace --cve CVE-2026-1234
    Do it:                     pratique replace --cve CVE-2026-1234 --apply
    Go on after a failure:     pratique replace --continue PLAN
    Put everything back:       pratique replace --undo PLAN
    """  # noqa: D301
    asked = Asked(**given)
    if asked.listing:
        with open_store(None) as store:
            VIEW.show(store.plans.all(), asked.form)
        return
    if sum(map(bool, (asked.cve, asked.image, asked.go_on, asked.undo))) != 1:
        msg = "give one of --cve, --image, --continue, --undo"
        raise UsageError(msg)
    if asked.only_plan and asked.do_apply:
        msg = "--plan shows and --apply carries out: they exclude each other"
        raise UsageError(msg)
    options = load()
    terms = Terms(
        policy_path=options.policy_path,
        source=asker(),
        agent_runs=agent_runs(Path(options.run_dir)),
        patience=Patience(health_s=asked.healthy_within, drain_s=asked.drain),
        resume_s=asked.resume_within,
    )
    with Store.open(options.store) as store, _alone(options):
        if asked.go_on or asked.undo:
            plan = _saved(store, asked.go_on or asked.undo)
            asyncio.run(_resume(options, store, terms, plan, undo=bool(asked.undo)))
        else:
            question = Question(cve=asked.cve, image=asked.image, successor=asked.successor)
            asyncio.run(_replace(options, store, terms, question, do_apply=asked.do_apply))


async def _replace(options: Options, store: Store, terms: Terms, question: Question, *, do_apply: bool) -> None:
    async with _planner(options, store) as (engine, planner):
        plan = await planner.plan(question)
        store.plans.put(plan)
        _show(plan)
        if do_apply:
            await _carry_out(engine, store, terms, plan)
        else:
            click.echo(f"carry it out:  pratique replace --continue {plan.id}")


async def _resume(options: Options, store: Store, terms: Terms, plan: Plan, *, undo: bool) -> None:
    async with Engine.connect(options.docker_host) as engine:
        if not undo:
            await _carry_out(engine, store, terms, plan)
            return
        replacement = Replacement(engine, store, plan, terms, _say)
        await replacement.undo()
        click.echo(f"plan {plan.id} is undone: the old containers run")


async def _carry_out(engine: Engine, store: Store, terms: Terms, plan: Plan) -> None:
    replacement = Replacement(engine, store, plan, terms, _say)
    try:
        await replacement.carry_out()
    except BaseException:
        _say(f"plan {plan.id} stopped; then: pratique replace --continue {plan.id}, or --undo {plan.id}")
        raise
    click.echo(f"plan {plan.id} is done: {len(plan.steps)} replaced")


@asynccontextmanager
async def _planner(options: Options, store: Store) -> AsyncIterator[tuple[Engine, Planner]]:
    document = read(options.policy_path) if options.policy_path.exists() else Document()
    async with Engine.connect(options.docker_host) as engine:
        with scan_workers() as workers:

            async def current(image_id: ImageId) -> Report:
                known = store.report(image_id)
                if known is not None and known.scanned_at >= _modified(options.advisories_path):
                    return known
                _say(f"scanning {short(image_id)}")
                report = await scan_engine_image(engine, image_id, pool=workers, advisories=options.advisories_path)
                store.put_report(report)
                return report

            yield engine, Planner(engine, store, document, current)


@contextmanager
def _alone(options: Options) -> Iterator[None]:
    """Be the only one that replaces on this host.

    :raises UsageError: when another process does
    """
    path = Path(options.state_dir) / "replace.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        msg = "another 'pratique replace' is under way on this host"
        raise UsageError(msg, hint="wait for it, or end it and continue its plan") from error
    finally:
        os.close(descriptor)


def _saved(store: Store, plan_id: str) -> Plan:
    plan = store.plans.get(plan_id)
    if plan is None:
        msg = f"there is no plan '{printable(plan_id[:40])}'"
        raise UsageError(msg, hint="'pratique replace --list' shows them")
    return plan


def _show(plan: Plan) -> None:
    click.echo(f"plan {plan.id} for {printable(plan.question)}: {len(plan.steps)} steps, providers first")
    rows = [
        [str(step.number), step.service, step.name, short(step.old_image), step.reference, step.mode.value, step.why]
        for step in plan.steps
    ]
    print_table(("STEP", "SERVICE", "CONTAINER", "OLD IMAGE", "NEW IMAGE", "HOW", "SINCE IT"), rows)
    for skipped in plan.skipped:
        then = f"; instead: {skipped.command}" if skipped.command else ""
        click.echo(printable(f"left alone: {skipped.name}: {skipped.why}{then}"))
    for old, new in plan.allowed:
        click.echo(f"policy: {short(new)} is listed beside {short(old)}")


def _modified(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


def _say(text: str) -> None:
    click.echo(printable(text), err=True)


def _brief(step: dict[str, object]) -> dict[str, object]:
    """Return a step without the whole description of the old container."""
    return {name: value for name, value in step.items() if name != "inspected"}
