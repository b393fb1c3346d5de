"""``pratique replace`` against a fleet of real containers under load, beside a running agent."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Final

import pytest

from testbed import fleet as fleets
from testbed.engine import ThrowAwayEngine
from testbed.fleet import CVE, NEEDS, PORT, Fleet
from testbed.load import Load, load
from testbed.protection import Protection

REPLICAS: Final = 2
PATIENCE_S: Final = 120.0


class Yard:
    """A fleet, an agent, customers, and ``pratique replace``."""

    def __init__(self, engine: ThrowAwayEngine, fleet: Fleet, protection: Protection, customers: Load) -> None:
        self.engine = engine
        self.fleet = fleet
        self.protection = protection
        self.customers = customers

    def replace(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, timeout=PATIENCE_S)

    def interrupted(self, *arguments: str, at: str) -> str:
        """Kill it in the moment in which it says something, and return the plan."""
        process = subprocess.Popen(
            self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
        )
        assert process.stdout is not None
        plan = ""
        for line in process.stdout:
            plan = plan or (match[1] if (match := re.match(r"plan ([0-9a-f]{6}) ", line)) else "")
            if re.search(at, line):
                break
        process.kill()
        process.communicate()
        return plan

    def images(self, service: str) -> set[str]:
        """Return the images that a service's running containers have."""
        return {container.attrs["Config"]["Image"] for container in self.fleet.containers(service)}

    def command(self, *arguments: str) -> list[str]:
        """Return the command line."""
        return self.protection.command_line("replace", *arguments)


@pytest.fixture(scope="module")
def yard(root: None) -> Iterator[Yard]:
    del root
    with ThrowAwayEngine(daemon_json={"live-restore": True}) as engine:
        client = engine.client()
        fleet = Fleet(client, REPLICAS)
        for service in NEEDS:
            fleets.image(service, 2).load(client)
        protection = Protection(engine, fleets.policy())
        protection.run("db", "import", str(fleets.write_advisories(engine.folder / "advisories.zip")))
        with protection, load(engine.network, PORT, engine.folder / "load.json") as customers:
            customers.wait_for(10)
            yield Yard(engine, fleet, protection, customers)
        client.close()


@pytest.fixture(autouse=True)
def undisturbed(yard: Yard) -> Iterator[None]:
    """Demand that no request failed while the test ran, and that as many containers run after it as before."""
    before, failed = len(yard.fleet.containers()), yard.customers.tally().failed
    yield
    after = yard.customers.wait_for(10)
    assert (after.failed, after.reasons) == (failed, after.reasons[:failed])
    assert len(yard.fleet.containers()) == before


def test_plan_names_exactly_what_has_the_vulnerability_the_needed_first(yard: Yard) -> None:
    shown = yard.replace("--cve", CVE).stdout
    names = re.findall(r"fleet_\w+_\d", shown)
    expected = {f"fleet_{service}_{n}" for service in NEEDS for n in range(1, 3) if service != "edge" or n == 1}
    assert (set(names), len(names)) == (expected, len(expected))
    services = [name.split("_")[1] for name in names]
    assert all(services.index(need) < services.index(service) for service in NEEDS for need in NEEDS[service])
    assert re.search(r"fleet_edge_1 .* in turn +publishes 8080/tcp", shown)
    assert yard.images("web") == {"fleet/web:1"}


@pytest.mark.parametrize(
    ("service", "broken", "why"),
    [("stock", "ends", "and was started again"), ("payments", "unhealthy", "is unhealthy: its check ended with 1")],
)
def test_broken_fix_is_rolled_back_and_told(yard: Yard, service: str, broken: str, why: str) -> None:
    policy = yard.protection.policy_path.read_text()
    client = yard.engine.client()
    fleets.image(service, 3, broken=broken).load(client)
    ended = yard.replace("--image", f"fleet/{service}:1", "--apply")
    client.images.remove(f"fleet/{service}:3")
    client.close()
    assert ended.returncode == 1
    assert why in ended.stderr
    assert "the old containers go on" in ended.stderr
    assert yard.images(service) == {f"fleet/{service}:1"}
    assert yard.protection.policy_path.read_text() == policy
    assert "replace.step-rolled-back" in yard.protection.run("decisions")


def test_killed_half_way_it_can_be_undone(yard: Yard) -> None:
    plan = yard.interrupted("--image", "fleet/mail:1", "--apply", at="replacing fleet_mail_2")
    undone = yard.replace("--undo", plan)
    assert undone.returncode == 0, undone.stderr
    assert yard.images("mail") == {"fleet/mail:1"}


@pytest.mark.parametrize(("service", "delay"), [("web", 1.0), ("mail", 3.0)])
def test_killed_at_any_point_it_can_be_continued(yard: Yard, service: str, delay: float) -> None:
    process = subprocess.Popen(yard.command("--image", f"fleet/{service}:1", "--apply"), stdout=subprocess.PIPE)
    assert process.stdout is not None
    shown = process.stdout.readline().decode()
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    ended = yard.replace("--continue", shown.split()[1])
    assert ended.returncode == 0, ended.stderr
    assert yard.images(service) == {f"fleet/{service}:2"}


def test_everything_that_has_the_vulnerability_is_replaced_under_load(yard: Yard) -> None:
    ended = yard.replace("--cve", CVE, "--apply")
    assert ended.returncode == 0, ended.stderr
    assert all(yard.images(service) == {f"fleet/{service}:2"} for service in NEEDS)
    edge = yard.fleet.containers("edge")[0]
    assert edge.name == "fleet_edge_1"
    assert edge.attrs["HostConfig"]["PortBindings"] == {"8080/tcp": [{"HostIp": "", "HostPort": "8080"}]}
    assert edge.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert "REPLICA=1" in edge.attrs["Config"]["Env"]
    rules = yard.engine.network.run("iptables-save", "--table", "mangle")
    assert "pratique:" not in rules
    assert "no running container has" in yard.replace("--cve", CVE).stderr
    yard.protection.run("decisions", "--verify")
