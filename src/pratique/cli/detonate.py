"""``pratique detonate``: one image, run sealed off; one verdict, one exit code."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import click

from pratique import config, sandbox
from pratique.cli.listing import Span
from pratique.cli.output import replace_file
from pratique.cli.target import name_of, path_of
from pratique.errors import EngineError, GateError, HostError, IncompleteError, StoreError
from pratique.model import Behaviour, Detonation
from pratique.pipelines.detonate import SANDBOX, Options, detonate_engine_image, detonate_file, keep
from pratique.pipelines.workers import Workers
from pratique.report import render_detonation, render_detonation_json
from pratique.runtime import Engine
from pratique.store import Store

_LONGEST_S = 3600.0


@click.command(context_settings={"ignore_unknown_options": False})
@click.argument("target")
@click.argument("cmd", nargs=-1, type=click.UNPROCESSED, metavar="[-- CMD...]")
@click.option("--for", "for_s", type=Span(), default="60s", show_default=True, metavar="TIME", help="How long to run.")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to show the result.",
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the result here."
)
@click.option("--no-store", is_flag=True, help="Do not keep the result.")
@click.option("--state-dir", metavar="DIR", help="Where the store is.  [/var/lib/pratique]")
@click.option("--docker-host", metavar="URL", help="The engine.  [unix:///var/run/docker.sock]")
def command(  # one parameter an option
    *,
    target: str,
    cmd: tuple[str, ...],
    for_s: float,
    form: str,
    output: Path | None,
    no_store: bool,
    state_dir: str | None,
    docker_host: str | None,
) -> None:
    """Run an image sealed off, and judge what it does.

    Nothing that it sends leaves the sandbox: every name it asks for is answered, every address it talks to is a
    sinkhole. TARGET is an image of the engine, a file made by 'docker save', or an OCI layout, as for 'pratique scan'.

    \b
    An image of the engine:        pratique detonate shop/checkout:1
    A saved image, longer:         pratique detonate --for 5m checkout.tar
    With another command:          pratique detonate debian:12 -- sh -c 'apt-get update'
    For other tools:               pratique detonate -f json -o detonation.json checkout.tar

    The result is kept in the store under the image's id, where policy (admission: require: detonated: clean) finds
    it. The result of another command says nothing about the image and is not kept.

    Exit codes: 0 clean, 1 error, 2 bad, 3 unclear.
    """  # noqa: D301  # \b is click's mark for "do not re-wrap"
    if os.geteuid():
        msg = "detonating an image takes root: to make namespaces and to load programs into the kernel"
        raise HostError(msg, hint="run it as root")
    if not 1 <= for_s <= _LONGEST_S:
        msg = f"--for is {for_s:g} s, not between 1 s and {_LONGEST_S:g} s"
        raise click.UsageError(msg)
    options = config.load({"state_dir": state_dir, "docker_host": docker_host})
    how = Options(str(Path(options.state_dir) / SANDBOX), sandbox.Options(for_s=for_s, command=cmd))
    path = path_of(target)
    detonation = detonate_file(path, how) if path else _of_engine(name_of(target), options, how)
    if form == "json":
        text = render_detonation_json(detonation)
    else:
        width = shutil.get_terminal_size().columns if output is None and sys.stdout.isatty() else 120
        text = render_detonation(detonation, width=width)
    if output is None:
        click.echo(text, nl=False)
    else:
        replace_file(output, text.encode())
    if not no_store and not cmd:
        _keep(detonation, options.store)
    _judge(detonation)


def _of_engine(name: str, options: config.Options, how: Options) -> Detonation:
    with Workers(1) as pool:
        return asyncio.run(_by_name(name, options, how, pool))


async def _by_name(name: str, options: config.Options, how: Options, pool: Workers) -> Detonation:
    async with Engine.connect(options.docker_host) as engine:
        identity = await engine.image(name)
        if identity is None:
            msg = f"{name} is neither a file nor an image of the engine at {options.docker_host}"
            raise EngineError(msg, hint="'docker image ls' lists the engine's images")
        return await detonate_engine_image(engine, identity.id, how, pool=pool)


def _keep(detonation: Detonation, where: Path | str) -> None:
    """Store a detonation; one that cannot be stored is still one."""
    try:
        if isinstance(where, Path):
            where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with Store.open(where) as store:
            keep(store, detonation)
    except (StoreError, OSError) as error:
        click.echo(f"the result was not kept: {error}", err=True)


def _judge(detonation: Detonation) -> None:
    """Turn a verdict into an exit code.

    :raises GateError: when it is bad
    :raises IncompleteError: when it is unclear
    """
    name = detonation.image.name
    if detonation.verdict is Behaviour.BAD:
        msg = f"{name} is bad: {detonation.reason}"
        raise GateError(msg)
    if detonation.verdict is Behaviour.UNCLEAR:
        msg = f"{name} is unclear: {detonation.reason}"
        raise IncompleteError(msg, hint="give it a command that does something: pratique detonate IMAGE -- CMD")
