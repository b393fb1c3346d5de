"""Builds, images, exec, networks, volumes and all that the policy switches on and off."""

import json
from pathlib import Path
from typing import Any

import pytest

from pratique.policy import Access, Api, Builds, Document, Permit
from tests.unit.guard.asking import World, rule

GATE = Document(builds=Builds.GATE)


@pytest.mark.parametrize("target", ["/build", "/build?version=2", "/grpc", "/session"])
def test_no_way_to_build_is_open_where_builds_are_denied(world: World, target: str) -> None:
    assert rule(world.ask("POST", f"/v1.41{target}")) == "build.denied"
    assert rule(world.ask("POST", target, Upgrade="h2c", Connection="Upgrade")) == "build.denied"


@pytest.mark.parametrize("target", ["/build?t=a", "/build?version=2&t=a", "/grpc", "/session"])
def test_gated_builds_run(world: World, target: str) -> None:
    world.document = GATE
    assert rule(world.ask("POST", f"/v1.41{target}")) == "allow"


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ("remote=https://h/x.git", "build.remote"),
        ("remote=client-session", "allow"),
        ("networkmode=host", "build.option"),
        ("networkmode=container:web", "build.option"),
        ("networkmode=none", "allow"),
        ("cgroupparent=/x", "build.option"),
        ("securityopt=%5B%22seccomp=unconfined%22%5D", "build.option"),
        ("securityopt=null&extrahosts=", "allow"),
        ("extrahosts=a:1.2.3.4", "build.option"),
        ("remote=&remote=https://h/x", "request.query"),
    ],
)
def test_options_of_gated_builds_do_not_reach_the_host(world: World, query: str, refusal: str) -> None:
    world.document = GATE
    assert rule(world.ask("POST", f"/v1.41/build?{query}")) == refusal


def test_builds_may_be_let_through_as_they_are(world: World) -> None:
    world.document = Document(builds=Builds.ALLOW)
    assert rule(world.ask("POST", "/v1.41/build?remote=https://h/x.git&networkmode=host")) == "allow"


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ("fromSrc=http://h/x.tar&repo=a", "image.import-url"),
        ("fromSrc=https://h/x.tar&repo=a", "image.import-url"),
        ("fromSrc=h/x.tar", "image.import-url"),
        ("repo=a", "image.import-url"),
        ("fromImage=a&fromSrc=-", "request.query"),
        ("fromSrc=-&repo=a", "allow"),
    ],
)
def test_the_engine_does_not_fetch_images_from_urls(world: World, query: str, refusal: str) -> None:
    assert rule(world.ask("POST", f"/v1.41/images/create?{query}")) == refusal


def test_a_pull_has_no_body_in_which_another_source_could_stand(world: World) -> None:
    pull = "/v1.41/images/create?fromImage=a&tag=1"
    assert rule(world.ask("POST", pull, Content_Length="0")) == "allow"
    assert rule(world.ask("POST", pull)) == "request.unseen-body"
    assert rule(world.ask("POST", pull, Content_Length="12")) == "request.unseen-body"


SWITCHES = [
    ("exec", "POST", "/containers/web/exec", {"Cmd": ["sh"]}, "exec.denied"),
    ("exec", "POST", "/exec/e/start", {"Detach": False}, "exec.denied"),
    ("copy_into", "PUT", "/containers/web/archive?path=/", None, "copy.denied"),
    ("pull", "POST", "/images/create?fromImage=a", None, "image.pull-denied"),
    ("pull", "POST", "/images/a/b/push", None, "image.pull-denied"),
    ("pull", "POST", "/auth", None, "image.pull-denied"),
    ("load", "POST", "/images/load", None, "image.load-denied"),
    ("load", "POST", "/images/create?fromSrc=-", None, "image.load-denied"),
    ("load", "POST", "/commit?container=web", None, "image.load-denied"),
    ("swarm", "POST", "/swarm/init", {}, "swarm.denied"),
    ("swarm", "POST", "/services/create", {}, "swarm.denied"),
    ("swarm", "POST", "/services/x/update", {}, "swarm.denied"),
    ("swarm", "POST", "/secrets/create", {}, "swarm.denied"),
    ("swarm", "DELETE", "/nodes/x", None, "swarm.denied"),
    ("plugins", "POST", "/plugins/pull?remote=x", [], "plugins.denied"),
    ("plugins", "POST", "/plugins/a/b:latest/enable", None, "plugins.denied"),
    ("plugins", "POST", "/plugins/create?name=x", None, "plugins.denied"),
    ("plugins", "DELETE", "/plugins/a/b:latest", None, "plugins.denied"),
]


@pytest.mark.parametrize(("switch", "method", "target", "body", "refusal"), SWITCHES)
def test_the_policy_opens_and_closes_operations(
    world: World, switch: str, method: str, target: str, body: Any, refusal: str
) -> None:
    """C10, C11 and C13."""
    world.container("web")
    headers = {"Content_Length": "0"} if body is None else {}
    world.document = Document(api=Api(**{switch: Access.DENY}))
    assert rule(world.ask(method, f"/v1.41{target}", body, **headers)) == refusal
    world.document = Document(api=Api(**{switch: Access.ALLOW}))
    assert rule(world.ask(method, f"/v1.41{target}", body, **headers)) == "allow"


def test_swarm_and_plugins_are_closed_unless_opened(world: World) -> None:
    assert rule(world.ask("POST", "/v1.41/swarm/init", {})) == "swarm.denied"
    assert rule(world.ask("POST", "/v1.41/plugins/pull?remote=x", [])) == "plugins.denied"


def test_exec_in_privileged_mode_needs_the_permit(world: World) -> None:
    world.container("web")
    asked = ("POST", "/v1.41/containers/web/exec", {"Cmd": ["sh"], "PRIVILEGED": True})
    assert rule(world.ask(*asked)) == "exec.privileged"
    world.permit(Permit.PRIVILEGED)
    assert rule(world.ask(*asked)) == "allow"


def test_a_privileged_exec_that_was_made_before_is_refused_at_its_start(world: World) -> None:
    world.container("web")
    world.execs["e"] = {"ID": "e", "ContainerID": "web", "ProcessConfig": {"privileged": True}}
    asked = ("POST", "/v1.41/exec/e/start", {"Detach": True, "Tty": False})
    assert rule(world.ask(*asked)) == "exec.privileged"
    world.execs["e"]["ProcessConfig"]["privileged"] = False
    assert rule(world.ask(*asked)) == "allow"


def test_an_exec_is_told_with_its_container_and_image(world: World) -> None:
    world.container("web")
    decision = world.ask("POST", "/v1.41/containers/web/exec", {"Cmd": ["sh"]})
    assert decision.subject == "exec in web"
    assert decision.container
    assert decision.image


def test_an_update_changes_limits_and_not_the_cgroup(world: World) -> None:
    world.container("web")
    update = "/v1.41/containers/web/update"
    assert rule(world.ask("POST", update, {"Memory": 5, "RestartPolicy": {"Name": "always"}})) == "allow"
    assert rule(world.ask("POST", update, {"cgroupparent": "/x"})) == "update.cgroup-parent"
    assert rule(world.ask("POST", update)) == "request.unseen-body"


def test_checkpoints_are_refused(world: World) -> None:
    asked = ("POST", "/v1.41/containers/web/checkpoints", {"CheckpointID": "x", "CheckpointDir": "/etc"})
    assert rule(world.ask(*asked)) == "checkpoint.denied"


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"Name": "n"}, "allow"),
        ({"Name": "n", "Driver": "bridge", "Internal": True, "IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}]}}, "allow"),
        ({"Name": "n", "Options": {"com.docker.network.bridge.enable_icc": "false"}}, "allow"),
        ({"Name": "n", "Driver": "macvlan", "Options": {"parent": "eth0"}}, "network.driver"),
        ({"Name": "n", "Driver": "ipvlan"}, "network.driver"),
        ({"Name": "n", "driver": "host"}, "network.driver"),
        ({"Name": "n", "IPAM": {"Driver": "evil"}}, "network.driver"),
        ({"Name": "n", "Driver": "overlay"}, "network.driver"),
        ({"Name": "n", "Scope": "swarm"}, "network.driver"),
        ({"Name": "n", "Options": {"com.docker.network.bridge.name": "br0"}}, "network.option"),
        ({"Name": "n", "Options": {"com.docker.network.bridge.gateway_mode_ipv4": "routed"}}, "network.option"),
        ({"Name": "n", "ConfigFrom": {"Network": "x"}}, "network.option"),
        ({"Name": "n", "ConfigOnly": True}, "network.option"),
        ({"Name": "n", "Escape": "x"}, "request.unknown-field"),
    ],
)
def test_networks_do_not_reach_the_hosts_interfaces(world: World, body: Any, refusal: str) -> None:
    assert rule(world.ask("POST", "/v1.41/networks/create", body)) == refusal


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"Name": "v"}, "allow"),
        ({"Name": "v", "Driver": "local", "DriverOpts": {"type": "tmpfs", "device": "tmpfs"}}, "allow"),
        ({"Name": "v", "Driver": "evil"}, "volume.driver"),
        ({"Name": "v", "DriverOpts": {"type": "none", "o": "bind", "device": "/etc"}}, "volume.options"),
        ({"Name": "v", "DriverOpts": {"type": "tmpfs", "o": "size=1m,rbind", "device": "/etc"}}, "volume.options"),
        ({"Name": "v", "driveropts": {"type": "nfs", "o": "addr=h", "device": ":/x"}}, "volume.options"),
        ({"Name": "v", "ClusterVolumeSpec": {"Group": "x"}}, "request.unknown-field"),
    ],
)
def test_volumes_on_host_paths_are_made_only_where_an_image_may_use_one(world: World, body: Any, refusal: str) -> None:
    assert rule(world.ask("POST", "/v1.41/volumes/create", body)) == refusal
    world.permit(Permit.HOST_PATHS)
    assert rule(world.ask("POST", "/v1.41/volumes/create", body)) == (
        "allow" if refusal == "volume.options" else refusal
    )


def test_commit_reads_its_body_exactly(world: World) -> None:
    assert rule(world.ask("POST", "/v1.41/commit?container=web", {"Cmd": ["x"]})) == "allow"
    assert rule(world.ask("POST", "/v1.41/commit?container=web", b"{}{}")) == "request.body"
    assert rule(world.ask("POST", "/v1.41/commit?container=web", Content_Length="1048577")) == "request.unseen-body"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/_ping"),
        ("HEAD", "/_ping"),
        ("GET", "/v1.41/info"),
        ("GET", "/v1.41/events?filters=%7B%7D"),
        ("GET", "/v1.41/containers/json?all=1"),
        ("GET", "/v1.41/containers/web/json"),
        ("GET", "/v1.41/containers/web/logs?stdout=1&stderr=1"),
        ("GET", "/v1.41/images/host:5000/a/b:1/json"),
        ("GET", "/v1.41/images/a@sha256:00/history"),
        ("GET", "/v1.41/images/get?names=a&names=b"),
        ("POST", "/v1.41/containers/web/attach?stream=1"),
        ("GET", "/v1.41/containers/web/attach/ws"),
        ("POST", "/v1.41/containers/web/wait?condition=next-exit"),
        ("POST", "/v1.41/containers/web/stop?t=1"),
        ("DELETE", "/v1.41/containers/web?v=1&force=1"),
        ("POST", "/v1.41/images/a/b:1/tag?repo=c&tag=d"),
        ("DELETE", "/v1.41/images/a/b:1"),
        ("POST", "/v1.41/networks/prune"),
        ("GET", "/v1.41/volumes"),
        ("POST", "/v1.41/build/prune"),
        ("POST", "/v1.41/build/cancel?id=x"),
    ],
)
def test_ordinary_work_is_let_through(world: World, method: str, target: str) -> None:
    assert rule(world.ask(method, target)) == "allow"


@pytest.mark.parametrize("what", ["container", "volume", "network"])
def test_what_the_docker_command_sends_is_understood(world: World, what: str) -> None:
    """Recorded from docker 28.2.2 with an engine of API 1.41."""
    bodies = json.loads((Path(__file__).parent / "docker-28.2.2.json").read_text())
    assert rule(world.ask("POST", f"/v1.41/{what}s/create", bodies[what])) == "allow"
