"""``pratique guard``: put the guard in front of the engine's API, take it away, tell whether it is there."""

from pathlib import Path

import click

from pratique.config import Options, load
from pratique.errors import GateError
from pratique.guard import install as installation


@click.group()
def command() -> None:
    """Install, remove and show the guard in front of the engine's API.

    The guard itself runs in 'pratique up' or 'pratique agent'; the engine asks it about every request.
    """


@command.command()
def install() -> None:
    """Have the engine ask the guard, now and after every restart."""
    options = load()
    installation.install(_target(options))
    click.echo(f"the engine at {options.docker_host} asks the guard {options.plugin_name!r} about every request")


@command.command()
def uninstall() -> None:
    """Have the engine stop asking the guard; its configuration is given back as it was."""
    options = load()
    installation.uninstall(_target(options))
    click.echo(f"the engine at {options.docker_host} does not ask the guard {options.plugin_name!r} any more")


@command.command()
def status() -> None:
    """Tell whether the guard is in place (exit code 2 when it is not)."""
    options = load()
    told = installation.status(_target(options))
    for holds, what in (
        (told.answers, f"a guard answers on {options.plugin_socket}"),
        (told.configured, f"{options.daemon_json} names the plugin {options.plugin_name!r}"),
        (told.asked, f"the engine at {options.docker_host} asks it"),
    ):
        click.echo(f"{'yes' if holds else 'no ':<4}{what}")
    if told.blind_to_builds:
        click.echo(
            f"note: engine {told.engine_version} lets BuildKit's gRPC past every authorization plugin; what is built"
        )
        click.echo("there still needs a passing report to run, and the kernel still guards what the build talks to")
    if not (told.answers and told.configured and told.asked):
        msg = "the guard is not in place"
        raise GateError(msg, hint="run 'pratique up', or 'pratique agent' and then 'pratique guard install'")


def _target(options: Options) -> installation.Target:
    return installation.Target(
        daemon_json=Path(options.daemon_json),
        docker_host=options.docker_host,
        plugin_name=options.plugin_name,
        plugin_socket=options.plugin_socket,
    )
