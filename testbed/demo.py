"""The demonstration, in three acts on real engines: ``python -m testbed.demo`` (``make demo``).

The attack, without Pratique and then with it. An image built on the host, which only its behaviour gives away, and its
re-build. A flaw in a fleet: who has it, and how they are rid of it under load. Exit code 0 only if every step of the
attack succeeded without and was stopped with, each stop was told as an alert of the wall that was to stop it, the
attacker's servers received nothing, no customer of the honest service saw an error, and all that the later acts have to
show was shown.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pratique.policy import Builds
from testbed import voyage_detonate
from testbed.attack import Outcome, Step
from testbed.protection import Protection
from testbed.shop import policy
from testbed.stage import Stage, open_stage
from testbed.steps import DRIFT, EGRESS, GATE, GUARD
from testbed.voyage_detonate import Proof
from testbed.voyage_replace import play_replace

_WALLS: Final = {
    "api.build": GUARD,
    "api.settings": GUARD,
    "api.unhealthy-image": GATE,
    "api.unadmitted": GATE,
    "net.": EGRESS,
    "exec.": DRIFT,
}
_TOLD_WITHIN_S: Final = 5.0


class Row(Struct):
    """One line of the table."""

    step: Step
    without: Outcome
    protected: Outcome | None = None
    told: bool = False
    """Whether an alert of the right wall was raised."""

    @property
    def right(self) -> bool:
        """Whether it went as it has to."""
        return self.without.succeeded and self.protected is not None and not self.protected.succeeded and self.told


class Demo:
    """The attack on one stage, played twice."""

    def __init__(self, stage: Stage, console: Console) -> None:
        self._stage = stage
        self._console = console
        self._rows: list[Row] = []
        self._received = 0
        self._told = ""
        self.proofs: list[Proof] = []

    def run(self) -> bool:
        """Play it; return whether all went as it has to."""
        say = self._console.print
        say("[bold]The shop[/] is open: shop/checkout, with its peer shop/redis and a payment service outside.")
        say(f"The engine's API listens without authentication on {self._stage.engine.tcp_url}, as on so many hosts.\n")
        say("[bold red]Without Pratique[/]")
        self._rows = [Row(step, self._play(step)) for step in self._stage.steps.values()]
        say("\n[bold green]With Pratique[/]: pratique up")
        with Protection(self._stage.engine, policy(Builds.DENY)) as protection:
            mark = self._stage.world.mark()
            for row in self._rows:
                self._play_against(protection, row)
            say("\nThe same with a policy that lets builds run and gates their result (builds: gate)")
            self._let_builds_run(protection)
            for row in [row for row in self._rows if row.step.name in {"a1", "a2"}]:
                gated = Row(row.step.where("builds: gate", EGRESS), row.without)
                self._play_against(protection, gated)
                self._rows.append(gated)
            self._told = protection.run("alerts")
            say("\n[bold]Second act[/]: an image built on the host, of which nothing is known; scanning is off")
            self.proofs = voyage_detonate.play(self._stage, protection, self._say)
            self._received = self._stage.world.received(mark).total()
        return self._sum_up()

    def _play(self, step: Step) -> Outcome:
        outcome = self._stage.attack.play(step)
        self._tell(step, outcome)
        return outcome

    def _play_against(self, protection: Protection, row: Row) -> None:
        started = time.time()
        row.protected = self._play(row.step)
        deadline = time.monotonic() + _TOLD_WITHIN_S
        while not row.told and time.monotonic() < deadline:
            row.told = row.step.wall in _walls(protection.alerts(started))

    def _let_builds_run(self, protection: Protection) -> None:
        said = protection.log.stat().st_size
        protection.set_policy(policy(Builds.GATE))
        protection.wait_for("policy", after=said)

    def _say(self, line: str) -> None:
        self._console.print(Text(line), overflow="ellipsis", no_wrap=True)

    def _tell(self, step: Step, outcome: Outcome) -> None:
        mark = Text("succeeded", "red") if outcome.succeeded else Text("stopped  ", "green")
        self._console.print(
            Text.assemble(f"  {step.name:<6}", mark, f"  {step.title}: {outcome.received}"),
            overflow="ellipsis",
            no_wrap=True,
        )

    def _sum_up(self) -> bool:
        self._console.print("\n[bold]What became of the attack[/]")
        table = Table(box=None, pad_edge=False)
        for heading in ("step", "", "without", "with", "wall", "time to stop"):
            table.add_column(heading, justify="right" if heading == "time to stop" else "left")
        for row in self._rows:
            table.add_row(*_cells(row))
        errors = self._stage.errors()
        self._console.print(table)
        self._console.print(
            "time to stop: how long the attacker waited for his answer, docker exec's own start included"
        )
        self._console.print("\nWhat pratique alerts tells")
        self._console.print(Text(self._told), soft_wrap=True)
        self._console.print(f"Bytes that the attacker's servers received with Pratique: {self._received}")
        self._console.print(
            f"Orders that the honest service took meanwhile: {self._stage.orders()}, errors: {len(errors)}"
        )
        wrong = [row.step.name for row in self._rows if not row.right]
        if wrong:
            self._console.print(f"[bold red]Not as it has to be: {', '.join(wrong)}[/]")
        return not wrong and not self._received and not errors


def _walls(alerts: Iterable[dict[str, Any]]) -> set[str]:
    """Return the walls that these alerts are told of; an alert that only watched is of no wall."""
    return {
        wall
        for alert in alerts
        for prefix, wall in _WALLS.items()
        if alert["rule"].startswith(prefix) and alert["action"] != "alerted"
    }


def _cells(row: Row) -> tuple[str | Text, ...]:
    protected = row.protected
    without = Text("succeeds", "red") if row.without.succeeded else Text("fails", "yellow")
    if protected is None:
        return row.step.name, row.step.title, without
    stopped = Text("succeeds", "bold red") if protected.succeeded else Text("stopped", "green")
    wall = row.step.wall if row.told else Text(f"{row.step.wall} (not told)", "yellow")
    return row.step.name, row.step.title, without, stopped, wall, f"{protected.seconds * 1000:.0f} ms"


def _tell_proofs(console: Console, proofs: Iterable[Proof]) -> None:
    console.print("\n[bold]What was shown beside the attack[/]")
    for proof in proofs:
        mark = Text("shown     ", "green") if proof.right else Text("not shown ", "bold red")
        console.print(
            Text.assemble(mark, proof.title), Text(f"          {proof.seen}", "dim"), sep="\n", soft_wrap=True
        )


def main() -> int:
    """Run the demonstration."""
    parser = argparse.ArgumentParser(prog="python -m testbed.demo", description=__doc__.splitlines()[0])
    parser.add_argument("--cgroups", choices=("hybrid", "v2"), default="hybrid", help="how the host mounts cgroups")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        print("the demonstration needs root: namespaces, cgroups, BPF and an engine of its own", file=sys.stderr)
        return 1
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    try:
        with open_stage(arguments.cgroups) as stage:
            demo = Demo(stage, console)
            stopped = demo.run()
        console.print("\n[bold]Third act[/]: a package with a flaw in it is all over a fleet")
        proofs = [
            *demo.proofs,
            *play_replace(lambda line: console.print(Text(line), overflow="ellipsis", no_wrap=True)),
        ]
        _tell_proofs(console, proofs)
        return 0 if stopped and all(proof.right for proof in proofs) else 1
    except RuntimeError as error:
        print(f"the demonstration ended early: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
