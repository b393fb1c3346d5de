"""A profile recorded from real containers on a real engine, and merged into the policy of a host where they run."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from pratique.model import EgressMode, Protocol
from pratique.policy import Builds, Peer, parse, parse_profile
from testbed import images
from testbed.engine import ThrowAwayEngine
from testbed.protection import Protection
from testbed.servers import PAYMENT_PORT
from testbed.shop import CHECKOUT, REDIS, REDIS_PORT, Shop, policy
from testbed.world import OUTSIDE

ROOT = Path(__file__).parents[3]
TEST = f"""
import sys, urllib.error, urllib.request
import docker
from testbed import images
from testbed.shop import Shop
client = docker.DockerClient(base_url=sys.argv[1])
shop = Shop(client)
try:
    urllib.request.urlopen("http://{CHECKOUT}:8080/", timeout=30)
except urllib.error.HTTPError as error:
    assert error.code == 502, error  # nobody answers for the payment service here
client.containers.run("alpine-like/base:1", ["sh", "-c", "probe udp 203.0.113.9 9 x; true"], remove=True)
for container in (shop.checkout, shop.redis, shop.neighbour):
    container.remove(force=True)
client.networks.get("shop").remove()
"""


def pratique(engine: ThrowAwayEngine, state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    options = [f"{name}={value}" for name, value in engine.options(state).items()]
    command = engine.network.command(["env", f"PYTHONPATH={ROOT}", *options, sys.executable, "-m", "pratique", *words])
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def recorded(engine: ThrowAwayEngine, state: Path) -> Path:
    """The profile of the shop's integration test."""
    file = state / f"{engine.tag}.allow.yaml"
    words = ["profile", "record", "-o", str(file), "--", sys.executable, "-c", TEST, engine.url]
    done = pratique(engine, state, *words)
    assert done.returncode == 0, done.stderr
    assert not list(engine.pin_dir.parent.glob(f"{engine.pin_dir.name}-profile-*"))
    return file


@pytest.fixture
def shop(engine: ThrowAwayEngine) -> Iterator[Shop]:
    client: docker.DockerClient = engine.client()
    shop = Shop(client)
    yield shop
    for container in (shop.checkout, shop.redis, shop.neighbour):
        container.remove(force=True)
    client.networks.get("shop").remove()
    client.close()


def test_profile_names_peers_by_image_and_programs_by_path(recorded: Path) -> None:
    profile = parse_profile(recorded.read_bytes())
    of = {image.name: image for image in profile.images}
    assert set(of) == {"shop/checkout:1", "shop/redis:1", "alpine-like/base:1"}
    checkout = of["shop/checkout:1"]
    assert checkout.id == images.checkout().id
    assert checkout.peers == (
        Peer(to=OUTSIDE, port=PAYMENT_PORT, protocol=Protocol.TCP),
        Peer(image="shop/redis", service="redis", port=REDIS_PORT, protocol=Protocol.TCP),
    )
    assert checkout.programs == ("/usr/bin/checkout",)
    assert of["shop/redis:1"].peers == ()
    short_lived = of["alpine-like/base:1"]
    assert short_lived.peers == (Peer(to="203.0.113.9", port=9, protocol=Protocol.UDP),)
    assert "/usr/bin/probe" in short_lived.programs


def test_merged_profile_is_the_policy_that_the_shop_needs(
    engine: ThrowAwayEngine, state: Path, recorded: Path, shop: Shop, tmp_path: Path
) -> None:
    merged = tmp_path / "merged.yaml"
    done = pratique(engine, state, "policy", "merge", "-o", str(merged), str(recorded))
    assert done.returncode == 0, done.stderr
    document = parse(merged.read_bytes())
    entry = document.image(images.checkout().id)
    assert entry is not None
    assert entry.egress is EgressMode.ENFORCE
    shop.redis.reload()
    redis6 = shop.redis.attrs["NetworkSettings"]["Networks"]["shop"]["GlobalIPv6Address"]
    wanted = {(OUTSIDE, PAYMENT_PORT), (REDIS, REDIS_PORT), (redis6, REDIS_PORT)}
    assert {(rule.to, rule.port) for rule in entry.allow} == wanted


def test_peer_that_does_not_run_leaves_its_image_monitored(
    engine: ThrowAwayEngine, state: Path, recorded: Path
) -> None:
    done = pratique(engine, state, "policy", "merge", str(recorded))
    assert done.returncode == 0, done.stderr
    assert "only monitored, as the peer does not run here: shop/checkout:1 → shop/redis" in done.stderr
    entry = parse(done.stdout.encode()).image(images.checkout().id)
    assert entry is not None
    assert entry.egress is EgressMode.MONITOR


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -TERM $$", 143)])
def test_exit_code_of_the_command_is_passed_on_and_nothing_written(
    engine: ThrowAwayEngine, state: Path, tmp_path: Path, script: str, code: int
) -> None:
    file = tmp_path / "x.yaml"
    done = pratique(engine, state, "profile", "record", "-o", str(file), "--", "sh", "-c", script)
    assert done.returncode == code
    assert not file.exists()
    assert "so no profile was written" in done.stderr


def test_command_that_is_not_there_is_an_error(engine: ThrowAwayEngine, state: Path) -> None:
    done = pratique(engine, state, "profile", "record", "--", "/no/such/program")
    assert done.returncode == 1
    assert "/no/such/program cannot be run: No such file or directory" in done.stderr
    assert not list(engine.pin_dir.parent.glob(f"{engine.pin_dir.name}-profile-*"))


def test_agent_that_runs_goes_on_undisturbed(engine: ThrowAwayEngine, tmp_path: Path) -> None:
    script = "probe udp 203.0.113.9 9 x; true"
    words = f"['sh', '-c', {script!r}]"
    client = "docker.DockerClient(base_url=sys.argv[1])"
    run = f"import sys, docker; {client}.containers.run('alpine-like/base:1', {words}, remove=True)"
    file = tmp_path / "x.yaml"
    with Protection(engine, policy(Builds.DENY)) as protection:
        command = ["--", sys.executable, "-c", run, engine.url]
        done = pratique(engine, tmp_path, "profile", "record", "-o", str(file), *command)
        assert done.returncode == 0, done.stderr
        (image,) = parse_profile(file.read_bytes()).images
        assert image.programs == ("/bin/sh", "/usr/bin/probe")
        assert [peer.to for peer in image.peers] == ["203.0.113.9"]  # refused by the agent, and wanted all the same
        refused = {alert["rule"] for alert in protection.alerts()}
        assert "net.egress" in refused
        assert len(list(engine.pin_dir.iterdir())) > 0
        before = len(protection.alerts())
        subprocess.run([sys.executable, "-c", run, engine.url], check=True, cwd=ROOT)
        deadline = time.monotonic() + 30
        while sum(alert["count"] for alert in protection.alerts()) <= before:
            assert time.monotonic() < deadline
            time.sleep(0.2)
