"""``pratique policy``: write, check, show and apply the policy."""

import asyncio
import getpass
import hashlib
import os
import time
from pathlib import Path
from typing import Final

import click

from pratique.cli.output import emit, replace_file, require_new
from pratique.config import Options, load
from pratique.errors import EmptyStoreError, StoreError
from pratique.model import Decision, ImageId, Report, Verdict
from pratique.pipelines.change_policy import only_writer
from pratique.pipelines.presence import APPLIED_STATE, agent_runs
from pratique.pipelines.profile import addresses_here, images_here
from pratique.policy import Document, Merged, Profile, first_policy, merge_profile, parse, parse_profile, read, render
from pratique.policy.document import read_text
from pratique.runtime import Engine
from pratique.store import Store
from pratique.text import count, printable

_APPLY_WITHIN_S: Final = 10.0
_POLL_S: Final = 0.1
_FILE = click.argument("file", type=click.Path(path_type=Path))


@click.group()
def command() -> None:
    """Write, check, show and apply the policy."""


@command.command("init")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write to a new file.")
@click.option("--from-host", is_flag=True, help="List the images of the containers that run now, to be learnt.")
def init(output: Path | None, from_host: bool) -> None:
    """Print a policy in which every key is explained."""
    require_new(output)
    document = asyncio.run(_from_host(load())) if from_host else Document()
    emit(render(document), output)


@command.command("check")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Check policy files and tell what they hold."""
    for file in files:
        click.echo(f"{file} is valid: {_summary(parse(read_text(file), name=str(file)))}")


@command.command("show")
def show() -> None:
    """Print the policy of this host."""
    options = load()
    text = read_text(options.policy_path)
    parse(text, name=str(options.policy_path))
    if agent_runs(Path(options.run_dir)) and _applied(options) != hashlib.sha256(text).hexdigest():
        click.echo(f"{options.policy_path} has changed and is not in force yet", err=True)
    click.echo(text.decode(), nl=False)


@command.command("apply")
@_FILE
def apply(file: Path) -> None:
    """Put a policy into force, without a restart of anything.

    It is checked first, and replaces the old one whole or not at all.
    """
    options = load()
    text = read_text(file)
    document = parse(text, name=str(file))
    digest = hashlib.sha256(text).hexdigest()
    running = agent_runs(Path(options.run_dir))
    with Store.open(options.store) as store:
        with only_writer(options.policy_path.parent):
            replace_file(options.policy_path, text)
        store.append_decisions([_decision(digest)])
        if running:
            _wait_until_live(store, digest)
        else:
            store.put_policy(text.decode(), digest, time.time())
    state = "live" if running else "no agent is running; in force from its next start"
    click.echo(f"{state}: {_summary(document)}")


@command.command("merge")
@_FILE
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write to a new file.")
def merge(file: Path, output: Path | None) -> None:
    """Merge a profile that 'pratique profile record' wrote over the policy of this host.

    Images are found by their id, else by their name; peers that are images stand for the addresses of what runs from
    them here now. Nothing comes into force: read the result, then 'pratique policy apply FILE'.
    """
    require_new(output)
    options = load()
    profile = parse_profile(read_text(file), name=str(file))
    document = read(options.policy_path) if options.policy_path.exists() else Document()
    merged = asyncio.run(_merged(document, profile, options))
    emit(render(merged.document), output)
    for name in merged.absent:
        click.echo(f"not merged: {printable(name)} is not on this host", err=True)
    for pair in merged.unresolved:
        click.echo(f"only monitored, as the peer does not run here: {printable(pair)}", err=True)
    click.echo(f"{count(merged.added, 'new rule')}; read it, then: pratique policy apply {output or 'FILE'}", err=True)


async def _merged(document: Document, profile: Profile, options: Options) -> Merged:
    async with Engine.connect(options.docker_host) as engine:
        ids, addresses = await images_here(engine, profile), await addresses_here(engine)
    return merge_profile(document, profile, ids, addresses)


async def _from_host(options: Options) -> Document:
    async with Engine.connect(options.docker_host) as engine:
        images, containers = await engine.images(), await engine.containers()
    reports = _reports(options, [image.id for image in images])
    document = first_policy(images, containers, reports)
    running = {container.image for container in containers if container.running}
    listed = {image_id for entry in document.images for image_id in entry.ids}
    for image in images:
        if image.id in running - listed:
            why = "its report does not pass" if image.id in reports else "it has no report yet ('pratique up' scans it)"
            click.echo(f"not listed: {image.name}, {why}", err=True)
    return document


def _reports(options: Options, image_ids: list[ImageId]) -> dict[ImageId, Report]:
    try:
        with Store.open(options.store, read_only=True) as store:
            return {image_id: report for image_id in image_ids if (report := store.report(image_id)) is not None}
    except EmptyStoreError:
        return {}


def _summary(document: Document) -> str:
    rules = sum(len(entry.allow) for entry in document.images)
    modes = sorted({entry.egress.value for entry in document.images})
    egress = f", egress {' and '.join(modes)}" if modes else ""
    return f"{len(document.images)} images, {rules} rules{egress}, builds {document.builds.value}"


def _decision(digest: str) -> Decision:
    user = os.environ.get("SUDO_USER") or getpass.getuser()
    return Decision(
        at=time.time(),
        verdict=Verdict.ALLOW,
        rule="policy.apply",
        subject="policy apply",
        reason=f"sha256 {digest}",
        source=f"user {user}",
    )


def _applied(options: Options) -> str | None:
    with Store.open(options.store, read_only=True) as store:
        return store.state(APPLIED_STATE)


def _wait_until_live(store: Store, digest: str) -> None:
    deadline = time.monotonic() + _APPLY_WITHIN_S
    while store.state(APPLIED_STATE) != digest:
        if time.monotonic() > deadline:
            msg = f"the policy was written, but the agent did not put it into force within {_APPLY_WITHIN_S:.0f} s"
            raise StoreError(msg, hint="look at what the agent says; the old policy stays in force until then")
        time.sleep(_POLL_S)
