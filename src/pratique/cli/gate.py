"""``pratique gate``: one step of a pipeline, one verdict, one exit code."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import click
from msgspec.structs import replace

from pratique import config
from pratique import image as images
from pratique.cli.formats import Wanted, format_option, resolve, write
from pratique.cli.listing import Span
from pratique.cli.target import name_of, path_of
from pratique.errors import EngineError, UsageError
from pratique.model import ImageIdentity
from pratique.pipelines.detonate import SANDBOX
from pratique.pipelines.gate import Answer, Question, ask, sandbox_options
from pratique.pipelines.spool import spooled
from pratique.policy import Document, Gate, read
from pratique.report import Format, render
from pratique.runtime import Engine
from pratique.text import count, printable

_LONGEST_S: Final = 3600.0
_SUMMARY: Final = "GITHUB_STEP_SUMMARY"
_REFUSED: Final = 2
_INCOMPLETE: Final = 3


@click.command()
@click.argument("target")
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Judge by this policy.  [the host's, else: no malware]",
)
@click.option(
    "--fail-on",
    "gates",
    multiple=True,
    type=click.Choice([gate.value for gate in Gate]),
    help="Refuse this as well. Repeatable.",
)
@click.option("--detonate/--no-detonate", default=True, show_default=True, help="Run the image sealed off; takes root.")
@click.option(
    "--for", "for_s", type=Span(), default="30s", show_default=True, metavar="TIME", help="How long to run it."
)
@click.option(
    "--advisories",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The advisory database.  [advisories.db in the state directory]",
)
@format_option
@click.option("--docker-host", metavar="URL", help="The engine.  [unix:///var/run/docker.sock]")
def command(  # one parameter an option
    *,
    target: str,
    policy_file: Path | None,
    gates: tuple[str, ...],
    detonate: bool,
    for_s: float,
    advisories: Path | None,
    formats: tuple[Wanted, ...],
    docker_host: str | None,
) -> int:
    """Decide whether an image may go on: scan it, judge it by the policy, ask for its kin, run it sealed off.

    TARGET is an image of the engine, a file made by 'docker save', or an OCI layout, as for 'pratique scan'. Neither
    an agent nor, for a file, an engine is needed.

    \b
    In a pipeline, after a build:  pratique gate -f sarif=image.sarif -f junit=image.xml image.tar
    By the policy of the team:     pratique gate --policy policy.yaml --for 1m shop/checkout:1
    Without root:                  pratique gate --no-detonate --fail-on high image.tar

    Images that were condemned before are known where the store is at hand (PRATIQUE_STATE_DIR). In a job of GitHub
    Actions the report is added to the job's summary as well.

    Exit codes: 0 it may go on, 1 error, 2 it is refused, 3 nothing speaks against it, but something is not known.
    """  # noqa: D301  # \b is click's mark for "do not re-wrap"
    if not 1 <= for_s <= _LONGEST_S:
        msg = f"--for is {for_s:g} s, not between 1 s and {_LONGEST_S:g} s"
        raise UsageError(msg)
    wanted = resolve(formats, None) if formats else ()
    options = config.load({"docker_host": docker_host})
    document, source = _policy(policy_file, gates, options)
    question = Question(
        document=document,
        advisories=advisories or options.advisories_path,
        store=options.store,
        sandbox=sandbox_options(Path(options.state_dir) / SANDBOX, for_s) if detonate else None,
    )
    with _opened(target, options) as (path, identity):
        answer = ask(path, question, identity)
    write(answer.report, wanted, answer.judgement)
    for line in _verdict(answer, f"{source}: refuses {', '.join(gate.value for gate in document.admission.fail_on)}"):
        click.echo(printable(line), err=any(entry.file is None for entry in wanted))
    _summarize(answer)
    if answer.judgement.passed:
        return 0
    return _INCOMPLETE if answer.incomplete else _REFUSED


def _policy(file: Path | None, gates: tuple[str, ...], options: config.Options) -> tuple[Document, str]:
    if file is None and options.policy_path.exists():
        file = options.policy_path
    document = Document() if file is None else read(file)
    fail_on = tuple(dict.fromkeys([*document.admission.fail_on, *map(Gate, gates)]))
    admission = replace(document.admission, fail_on=fail_on)
    return replace(document, admission=admission), str(file) if file else "no policy here, so the built-in one"


@contextmanager
def _opened(target: str, options: config.Options) -> Iterator[tuple[Path, ImageIdentity | None]]:
    """Hold the file of what a target names; that of an engine's image is gone at the end."""
    path = path_of(target)
    if path is not None:
        yield path, None
        return
    with asyncio.Runner() as runner:
        export = _exported(name_of(target), options)
        opened = runner.run(export.__aenter__())
        try:
            yield opened
        finally:
            runner.run(export.__aexit__(None, None, None))


@asynccontextmanager
async def _exported(name: str, options: config.Options) -> AsyncIterator[tuple[Path, ImageIdentity]]:
    async with Engine.connect(options.docker_host) as engine:
        identity = await engine.image(name)
        if identity is None:
            msg = f"{name} is neither a file nor an image of the engine at {options.docker_host}"
            raise EngineError(msg, hint="'docker image ls' lists the engine's images")
        async with spooled(engine, identity.id, images.Options()) as path:
            yield path, identity


def _verdict(answer: Answer, policy: str) -> Iterator[str]:
    report = answer.report
    word = "PASSED" if answer.judgement.passed else "INCOMPLETE" if answer.incomplete else "REFUSED"
    yield f"{word}  {report.image.name}  {report.image.id[:19]}"
    yield f"  policy     {policy}"
    read_all = "everything read" if not report.unread else f"{len(report.unread)} parts not read"
    yield f"  scan       {count(len(report.packages), 'package')}, {count(len(report.findings), 'finding')}, {read_all}"
    yield f"  advisories {'matched' if report.advisories_at else 'none here, so vulnerabilities are not known'}"
    yield f"  family     {answer.family}"
    yield f"  sandbox    {answer.behaviour}"
    yield from (f"  - {reason}" for reason in answer.judgement.reasons)


def _summarize(answer: Answer) -> None:
    """Add the report to the summary of a job of GitHub Actions."""
    path = os.environ.get(_SUMMARY)
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as summary:
            summary.write(render(answer.report, Format.MARKDOWN, judgement=answer.judgement) + "\n")
    except OSError as error:
        click.echo(f"the job's summary {path} cannot be written: {error.strerror}", err=True)
