"""The third act: a vulnerable package in a fleet of real containers: who has it, and how they are rid of it.

The customers of the fleet come all the time; not one of their requests may fail, not even while a fix is put in that
does not work.
"""

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

import docker
import msgspec

from testbed import fleet as fleets
from testbed.engine import ThrowAwayEngine
from testbed.fleet import BYSTANDER, CVE, NEEDS, PORT, Fleet
from testbed.load import Load, Tally, load
from testbed.protection import Protection
from testbed.voyage_detonate import Proof

REPLICAS: Final = 10
"""Of each of six services; with the edge and the bystander that makes 63 containers of 8 services."""
_PATIENCE_S: Final = 120.0
_BROKEN: Final = "stock"


def play_replace(say: Callable[[str], None], replicas: int = REPLICAS) -> list[Proof]:
    """Play the act on an engine of its own.

    :param say: is told each step
    """
    with ThrowAwayEngine(daemon_json={"live-restore": True}) as engine, closing(engine.client()) as client:
        fleet = Fleet(client, replicas)
        say(f"  a fleet: {len(fleet.containers())} containers of {len(NEEDS) + 1} services; {CVE} is planted in some")
        protection = Protection(engine, fleets.policy())
        protection.run("db", "import", str(fleets.write_advisories(engine.folder / "advisories.zip")))
        with protection, load(engine.network, PORT, engine.folder / "load.json") as customers:
            customers.wait_for(50)
            return _Act(client, fleet, protection, customers, say).play()


class _Act:
    def __init__(
        self,
        client: docker.DockerClient,
        fleet: Fleet,
        protection: Protection,
        customers: Load,
        say: Callable[[str], None],
    ) -> None:
        self._client = client
        self._fleet = fleet
        self._protection = protection
        self._customers = customers
        self._say = say

    def play(self) -> list[Proof]:
        truth = {name for name in self._fleet.versions() if BYSTANDER not in name}
        return [self._asked(truth), self._broken_fix(), self._fixed(truth)]

    def _asked(self, truth: set[str]) -> Proof:
        """Ask who has it, once every image has its report."""
        deadline = time.monotonic() + _PATIENCE_S
        while (answer := self._blast())["not_scanned"]["containers"] and time.monotonic() < deadline:
            time.sleep(0.5)
        named = {container["name"] for container in answer["containers"]}
        services = {container["service"]["name"] for container in answer["containers"]}
        seen = f"{len(named)} containers of {len(services)} services"
        self._say(f"  pratique blast {CVE}: {seen}")
        return Proof("the question gives exactly the true answer", seen, named == truth)

    def _broken_fix(self) -> Proof:
        """Put in a fix whose program ends by itself."""
        broken = fleets.image(_BROKEN, 3, broken="ends")
        broken.load(self._client)
        before = self._fleet.versions()
        started, tally = time.monotonic(), self._customers.tally()
        code, said = self._replace("--image", f"fleet/{_BROKEN}:1", "--with", broken.reference, "--apply")
        after = self._customers.wait_for(20)
        self._client.images.remove(broken.reference)
        why = next((line for line in said.splitlines() if line.startswith("pratique: ")), said[-200:])
        self._say(f"  a broken fix for {_BROKEN}: {why.removeprefix('pratique: ')}; rolled back")
        seen = f"{why.removeprefix('pratique: ')}; {_counted(tally, after, time.monotonic() - started)}"
        right = code == 1 and "rolling back" in said and self._fleet.versions() == before
        return Proof("a broken fix is rolled back, and no request fails", seen, right and after.failed == tally.failed)

    def _fixed(self, truth: set[str]) -> Proof:
        """Put in the fix that works, everywhere."""
        for service in NEEDS:
            fleets.image(service, 2).load(self._client)
        started, tally = time.monotonic(), self._customers.tally()
        code, said = self._replace("--cve", CVE, "--apply")
        spent, after = time.monotonic() - started, self._customers.wait_for(20)
        versions = self._fleet.versions()
        replaced = sum(versions.get(name, "").endswith(":2") for name in truth)
        left = len(self._blast()["containers"])
        seen = f"{replaced} of {len(truth)} replaced, {left} left with it; {_counted(tally, after, spent)}"
        self._say(f"  pratique replace --cve {CVE} --apply: {seen}")
        if code:
            self._say(said[-2000:])
        right = code == 0 and replaced == len(truth) and not left and set(versions) >= truth
        return Proof(
            "all of them are replaced under load, and no request fails", seen, right and after.failed == tally.failed
        )

    def _blast(self) -> dict[str, Any]:
        answer: dict[str, Any] = msgspec.json.decode(self._protection.run("blast", CVE, "--all", "-f", "json"))
        return answer

    def _replace(self, *arguments: str) -> tuple[int, str]:
        return self._protection.told("replace", *arguments)


def _counted(before: Tally, after: Tally, seconds: float) -> str:
    served, failed = after.served - before.served, after.failed - before.failed
    why = f" ({after.reasons[-1]})" if failed else ""
    return (
        f"{served} requests served in {seconds:.0f} s, {failed} failed{why}, the slowest took {after.slowest_s:.1f} s"
    )
