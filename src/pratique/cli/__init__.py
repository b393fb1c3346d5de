"""The command line: one file a command; arguments in, exit code out.

In: arguments. Out: results on stdout, talk on stderr, an exit code. Never: decides anything itself.
Commands are imported only when they run, so that ``pratique --help`` stays fast; the table below is checked by a test.
"""

import os
import sys
from typing import Any, Final

import click

from pratique import __version__
from pratique.errors import HostError, PratiqueError
from pratique.text import printable

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "up": ("pratique.cli.up", "Protect this host: scan, guard, watch, and show what happens."),
    "agent": ("pratique.cli.agent", "The same as a service: no live account, the guard stays installed."),
    "doctor": ("pratique.cli.doctor", "Tell what this host can and cannot do, and how to mend it."),
    "scan": ("pratique.cli.scan", "Scan an image: packages, vulnerabilities, malware, secrets, configuration."),
    "sbom": ("pratique.cli.sbom", "Write an image's bill of materials: CycloneDX or SPDX."),
    "gate": ("pratique.cli.gate", "Decide in a pipeline whether an image may go on."),
    "detonate": ("pratique.cli.detonate", "Run an image sealed off, and judge what it does."),
    "db": ("pratique.cli.db", "Fetch, import and show the advisory database."),
    "guard": ("pratique.cli.guard", "Install, remove and show the guard in front of the engine's API."),
    "policy": ("pratique.cli.policy", "Write, check, show and apply the policy."),
    "profile": ("pratique.cli.profile", "Write down what images do while a test runs."),
    "learn": ("pratique.cli.learn", "Turn the traffic that was seen into an allow-list."),
    "alerts": ("pratique.cli.alerts", "What happened that a person should know."),
    "notify": ("pratique.cli.notify", "Who is told of alerts, and whether that works."),
    "flows": ("pratique.cli.flows", "Who talked to whom."),
    "similar": ("pratique.cli.similar", "What else is made of the same as an image, and whether it is condemned."),
    "condemn": ("pratique.cli.condemn", "Condemn an image and whatever is kin of it."),
    "pardon": ("pratique.cli.pardon", "Vouch for an image: it is neither condemned nor kin of a condemned one."),
    "blast": ("pratique.cli.blast", "Who carries a vulnerability, package, file or image, and who depends on them."),
    "images": ("pratique.cli.images", "The images on this host and their reports."),
    "containers": ("pratique.cli.containers", "The containers on this host and the policy each is under."),
    "quarantine": ("pratique.cli.quarantine", "Cut all traffic of a container."),
    "release": ("pratique.cli.release", "Release a container from quarantine."),
    "capture": ("pratique.cli.capture", "Take evidence of a container into one archive with hashes."),
    "replace": ("pratique.cli.replace", "Replace what runs an image, or has a vulnerability, by what does not."),
    "console": ("pratique.cli.console", "Serve the console in a browser, and make what opens it."),
    "decisions": ("pratique.cli.decisions", "What the guard decided; checks the log's hash chain."),
}
"""Command → (module with a click command named ``command``, one-line summary)."""


_MAX_LINE: Final = 600


class LazyGroup(click.Group):
    """A group that imports a command's module only to run it or to show its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module  # noqa: PLC0415  # only when a command runs

        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="pratique")
def cli() -> None:
    """Pratique: a container is shown to be healthy, or it does not run.

    \b
    Protect this host now:         pratique up
    Look at one image:             pratique scan shop/checkout:1
    See what was stopped:          pratique alerts --since 1h

    Exit codes: 0 clean, 1 error, 2 the gate said no, 3 incomplete.
    """  # noqa: D301  # \b is click's mark for "do not re-wrap"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code; usage errors give 1, since 2 means that the gate said no."""
    try:
        result: Any = cli.main(args=arguments, prog_name="pratique", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return 1
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return 1
    except PratiqueError as error:
        _tell(error)
        return error.exit_code
    except OSError as error:
        return _end(error)
    return result if isinstance(result, int) else 0


def _end(error: OSError) -> int:
    if isinstance(error, BrokenPipeError):  # whoever reads has enough: 'pratique alerts | head'
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    else:
        forbidden = isinstance(error, PermissionError)
        hint = "run as root, or set PRATIQUE_STATE_DIR to a directory of your own" if forbidden else ""
        _tell(HostError(f"{error.filename or 'the host'}: {error.strerror or error}", hint=hint))
    return 1


def _tell(error: PratiqueError) -> None:
    click.echo(_line(f"pratique: {error.what}"), err=True)
    if error.hint:
        click.echo(_line(f"hint: {error.hint}"), err=True)


def _line(text: str) -> str:
    """Return one line that a terminal only prints, and that ends: errors quote files, names and documents."""
    shown = text if len(text) <= _MAX_LINE else f"{text[:_MAX_LINE]}…"
    return printable(shown)
