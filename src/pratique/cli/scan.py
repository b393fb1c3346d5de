"""``pratique scan``: one image, one report, one exit code."""

from pathlib import Path

import click

from pratique import config
from pratique.cli.formats import Wanted, format_options, resolve, write
from pratique.cli.scanning import keep_report, scan_target
from pratique.errors import GateError, IncompleteError
from pratique.family import Fingerprint
from pratique.model import Report, Severity
from pratique.policy import Admission, Gate, judge_report


@click.command()
@click.argument("target")
@format_options
@click.option(
    "--fail-on",
    "gates",
    multiple=True,
    type=click.Choice([gate.value for gate in Gate]),
    help="Exit with 2 on a finding of this kind, or on a vulnerability at least this bad that has a fix. Repeatable.",
)
@click.option("--state-dir", metavar="DIR", help="Where the store and the advisories are.  [/var/lib/pratique]")
@click.option("--docker-host", metavar="URL", help="The engine.  [unix:///var/run/docker.sock]")
def command(  # one parameter an option
    *,
    target: str,
    formats: tuple[Wanted, ...],
    output: Path | None,
    gates: tuple[str, ...],
    state_dir: str | None,
    docker_host: str | None,
) -> None:
    """Scan an image: packages, vulnerabilities, malware, secrets, configuration.

    TARGET is an image of the engine, a file made by 'docker save', or an OCI layout (a directory or a tar):

    \b
    An image of the engine:        pratique scan shop/checkout:1
    The same, said outright:       pratique scan docker:shop/checkout:1
    A saved image:                 pratique scan checkout.tar
    An OCI layout:                 pratique scan oci:./layout
    A gate in a pipeline:          pratique scan --fail-on malware --fail-on high checkout.tar
    A document for other tools:    pratique scan -f json -o report.json checkout.tar
    Several from one scan:         pratique scan -f table -f sarif=checkout.sarif -f junit=checkout.xml checkout.tar

    The report is kept in the store under the image's id, if this user may write there.

    Exit codes: 0 clean, 1 error, 2 --fail-on was met, 3 something could not be read.
    """  # noqa: D301  # \b is click's mark for "do not re-wrap"
    wanted = resolve(formats, output)
    options = config.load({"state_dir": state_dir, "docker_host": docker_host})
    fingerprints: list[Fingerprint] = []
    report = scan_target(target, options, learn=fingerprints.append)
    write(report, wanted)
    keep_report(report, options.store, fingerprints)
    _judge(report, tuple(Gate(gate) for gate in gates))


def _judge(report: Report, gates: tuple[Gate, ...]) -> None:
    """Turn a report into an exit code.

    :raises GateError: when a gate is met
    :raises IncompleteError: when none is, and something could not be read or asked
    """
    at_fault = judge_report(report, Admission(fail_on=gates))
    if isinstance(at_fault, str):
        raise IncompleteError(at_fault)
    asked = [gate.value for gate in gates if gate.value in set(Severity)]
    if not at_fault and asked and not report.advisories_at:
        msg = f"--fail-on {' '.join(asked)} cannot be answered: there is no advisory database"
        raise IncompleteError(msg, hint="'pratique db update' fetches it, 'pratique db import FILE' takes it from disk")
    if at_fault:
        rules = ", ".join(dict.fromkeys(finding.rule for finding in at_fault[:5]))
        more = f" and {len(at_fault) - 5} more" if len(at_fault) > 5 else ""
        msg = f"{report.image.name} does not pass --fail-on {' '.join(gates)}: {rules}{more}"
        raise GateError(msg)
