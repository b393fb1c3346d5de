"""Every fact that matters, judged."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratique.model import Protocol, PublishedPort
from pratique.pipelines.checks import Check, Status
from pratique.pipelines.doctor import failed, judge
from pratique.pipelines.examine import WHOLE_SENSOR, ContainerFacts, EngineFacts, Facts, Subject, container_facts
from pratique.runtime import EngineInfo, Hierarchy
from pratique.runtime.exposure import EngineProcess, Listener, SocketFacts
from pratique.runtime.host import HostFacts

HOST = HostFacts(
    kernel="6.8.0-31-generic", machine="x86_64", btf=True, bpf="", lockdown="none", security_modules=("bpf",),
    bpffs=True, tracefs=True, hierarchy=Hierarchy.UNIFIED, unified="/sys/fs/cgroup", user=0, missing_capabilities=(),
    systemd=True,
)  # fmt: skip
INFO = EngineInfo(
    version="28.1.0", api_version="1.49", storage_driver="overlay2", root_dir="/var/lib/docker",
    cgroup_driver="systemd", cgroup_version="2", authorization_plugins=("pratique",), live_restore=True,
)  # fmt: skip
SOCKET = SocketFacts("/var/run/docker.sock", "root", "docker", 0o660, ())
DOCKERD = EngineProcess(7, ("/usr/bin/dockerd", "-H", "fd://"), ())
CONTAINERD = SocketFacts("/run/containerd/containerd.sock", "root", "root", 0o777, ())
SUBJECT = Subject(f"unix://{SOCKET.path}", Path("/etc/docker/daemon.json"), "pratique", Path("/p.sock"), Path("/run"))
GOOD = Facts(
    subject=SUBJECT,
    host=HOST,
    engine=EngineFacts(INFO, (ContainerFacts("shop"),)),
    processes=(DOCKERD,),
    config={"authorization-plugins": ["pratique"]},
    sockets=(SOCKET,),
    features=dict.fromkeys(("egress", "process", "packet-socket", "packet-link", "opened"), "live"),
    plugin_answers=True,
    agent=True,
)

PUBLISHING = EngineFacts(INFO, (ContainerFacts("shop", published=(PublishedPort("0.0.0.0", 8080, Protocol.TCP, 80),)),))


def check(name: str, facts: Facts) -> Check:
    (found,) = [check for check in judge(facts) if check.name == name]
    return found


def host(**changes: Any) -> Facts:
    return replace(GOOD, host=replace(HOST, **changes))


def info(**changes: Any) -> Facts:
    return replace(GOOD, engine=EngineFacts(replace(INFO, **changes), ()))


def containers(*found: ContainerFacts) -> Facts:
    return replace(GOOD, engine=EngineFacts(INFO, found))


def dockerd(*arguments: str, listeners: tuple[Listener, ...] = ()) -> Facts:
    return replace(GOOD, processes=(EngineProcess(7, ("dockerd", *arguments), listeners),))


def test_a_good_host_has_nothing_to_mend() -> None:
    checks = judge(GOOD)
    assert {check.status for check in checks} == {Status.OK}
    assert not any(check.follows or check.mend for check in checks)
    assert failed(checks) == ()


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("privileges", host(user=1000, missing_capabilities=("CAP_BPF",))),
        ("kernel", host(kernel="5.10.0-8-amd64")),
        ("BTF", host(btf=False)),
        ("bpf(2)", host(bpf="Operation not permitted")),
        ("lockdown", host(lockdown="confidentiality")),
        ("cgroups", host(hierarchy=Hierarchy.LEGACY, unified="")),
        ("feature egress", replace(GOOD, features={"egress": "kernel refused"})),
        ("feature process", replace(GOOD, features={"process": "kernel refused"})),
        ("feature sensor", replace(GOOD, features={WHOLE_SENSOR: "no feature could be started"})),
        ("engine", replace(GOOD, engine="the engine cannot be reached")),
    ],
)
def test_what_protecting_needs_fails(name: str, facts: Facts) -> None:
    found = check(name, facts)
    assert found.status is Status.FAIL
    assert found.follows
    assert found.mend
    assert name in failed(judge(facts))


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("bpffs", host(bpffs=False)),
        ("tracefs", host(tracefs=False)),
        ("bpf(2)", host(bpf="Operation not permitted", missing_capabilities=("CAP_BPF",))),
        ("sensor", replace(GOOD, features={})),
        ("feature packet-link", replace(GOOD, features={"packet-link": "no tcx"})),
        ("feature packet-socket", replace(GOOD, features={"packet-socket": "no tracepoint"})),
        ("native builds", info(version="29.2.0")),
        ("storage driver", info(storage_driver="vfs")),
        ("cgroups of containers", containers(ContainerFacts("a", cgroup="/docker/abc"))),
        ("cgroups of containers", containers(ContainerFacts("a", cgroup="/"))),
        ("live-restore", info(live_restore=False)),
        ("registries", info(insecure_registries=("registry.example:5000",))),
        ("guard", replace(GOOD, config={})),
        ("guard", replace(GOOD, plugin_answers=False)),
        ("daemon.json", replace(GOOD, config="not valid JSON")),
        ("API on TCP", dockerd("-H", "tcp://0.0.0.0:2375")),
        ("API on TCP", dockerd(listeners=(Listener("0.0.0.0", 2375),))),
        ("API on TCP", dockerd("--tls", listeners=(Listener("::", 2376),))),
        ("API on TCP", replace(GOOD, config={"hosts": ["tcp://127.0.0.1:2375"]})),
        ("docker.sock", replace(GOOD, sockets=(replace(SOCKET, mode=0o666),))),
        ("docker.sock", replace(GOOD, sockets=(replace(SOCKET, members=("alice",)),))),
        ("containerd.sock", replace(GOOD, sockets=(CONTAINERD,))),
        ("engine socket", containers(ContainerFacts("a", mounts=("/var/run/docker.sock",)))),
        ("engine socket", containers(ContainerFacts("a", mounts=("/var/run",)))),
        ("engine socket", containers(ContainerFacts("a", mounts=("/",)))),
        ("privileged", containers(ContainerFacts("a", privileged=True))),
        ("raw sockets", containers(ContainerFacts("a", raw_sockets=True))),
        ("confinement", containers(ContainerFacts("a", unconfined=("seccomp",)))),
        ("host namespaces", containers(ContainerFacts("a", host_namespaces=("pid",)))),
    ],
)  # fmt: skip
def test_what_is_open_or_weaker_warns_and_says_how_to_mend_it(name: str, facts: Facts) -> None:
    found = check(name, facts)
    assert found.status is Status.WARN
    assert found.follows
    assert found.mend


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("cgroups", host(hierarchy=Hierarchy.HYBRID)),
        ("lockdown", host(lockdown="integrity")),
        ("cgroups of containers", containers(ContainerFacts("a", cgroup="/system.slice/docker-abc.scope"))),
        ("cgroups of containers", containers(ContainerFacts("a", cgroup=""))),
        ("init system", host(systemd=False)),
        ("API on TCP", dockerd("--tlsverify", "-H", "tcp://0.0.0.0:2376")),
        ("API on TCP", replace(GOOD, config={"hosts": ["tcp://0.0.0.0:2376"], "tlsverify": True})),
        ("API on TCP", dockerd(listeners=(Listener("0.0.0.0", 2377), Listener("0.0.0.0", 7946)))),
        ("API on TCP", replace(dockerd(listeners=(Listener("0.0.0.0", 8080),)), engine=PUBLISHING)),
        ("API on TCP", dockerd("--metrics-addr=127.0.0.1:9323", listeners=(Listener("127.0.0.1", 9323),))),
        ("docker.sock", replace(GOOD, sockets=(replace(SOCKET, mode=0o600, members=("alice",)),))),
        ("engine socket", containers(ContainerFacts("a", mounts=("/var/lib/docker/volumes/v/_data",)))),
        ("agent", replace(GOOD, agent=False)),
    ],
)
def test_what_is_well_enough_is_ok(name: str, facts: Facts) -> None:
    assert check(name, facts).status is Status.OK


def test_plugin_on_the_command_line_counts_as_configured() -> None:
    assert check("guard", replace(dockerd("--authorization-plugin=pratique"), config={})).status is Status.OK


@pytest.mark.parametrize(
    ("driver", "parent", "cgroup", "status"),
    [
        ("cgroupfs", "", "/docker/abc", Status.OK),
        ("cgroupfs", "", "/other/abc", Status.WARN),
        ("cgroupfs", "/shop", "/shop/abc", Status.OK),
        ("cgroupfs", "shop", "/shop/abc", Status.OK),
        ("cgroupfs", "/shop", "/docker/abc", Status.WARN),
        ("systemd", "a-b.slice", "/a.slice/a-b.slice/docker-abc.scope", Status.OK),
        ("systemd", "a-b.slice", "/system.slice/docker-abc.scope", Status.WARN),
    ],
)
def test_containers_are_looked_for_where_the_engine_puts_them(
    driver: str, parent: str, cgroup: str, status: Status
) -> None:
    engine = EngineFacts(replace(INFO, cgroup_driver=driver), (ContainerFacts("a", cgroup=cgroup),))
    facts = replace(GOOD, engine=engine, subject=replace(SUBJECT, cgroup_parent=parent))
    assert check("cgroups of containers", facts).status is status


def test_a_list_from_the_engines_start_is_not_believed_after_a_reload() -> None:
    found = check("guard", replace(GOOD, config={}))
    assert "started with 'pratique' but its configuration does not name it any more" in found.found


def test_without_an_engine_nothing_is_said_of_containers() -> None:
    named = {found.name for found in judge(replace(GOOD, engine="not there", processes=(), sockets=()))}
    assert not named & {"privileged", "raw sockets", "engine socket", "registries"}


def test_many_names_are_cut() -> None:
    found = check("privileged", containers(*(ContainerFacts(f"c{number}", privileged=True) for number in range(40))))
    assert found.found == "run privileged: c0, c1, c2, c3, c4 and 35 more"


@pytest.mark.parametrize(
    ("host_config", "raw"),
    [
        ({}, True),
        ({"CapDrop": ["NET_RAW"]}, False),
        ({"CapDrop": ["cap_net_raw"]}, False),
        ({"CapDrop": ["ALL"]}, False),
        ({"CapDrop": ["ALL"], "CapAdd": ["CAP_NET_RAW"]}, True),
        ({"CapDrop": ["NET_RAW"], "Privileged": True}, True),
        ({"CapDrop": None, "CapAdd": None}, True),
    ],
)
def test_raw_sockets_are_docker_default_unless_dropped(host_config: dict[str, Any], raw: bool) -> None:
    assert container_facts({"Name": "/a", "HostConfig": host_config}).raw_sockets is raw


def test_container_settings_that_matter_are_read() -> None:
    facts = container_facts(
        {
            "Name": "/a",
            "HostConfig": {
                "SecurityOpt": ["seccomp=unconfined", "apparmor:unconfined", "label=disable"],
                "PidMode": "host",
                "NetworkMode": "bridge",
                "IpcMode": "private",
            },
            "Mounts": [{"Source": "/proc/self/root/etc"}, {"Source": ""}],
        }
    )
    assert facts.unconfined == ("seccomp", "apparmor")
    assert facts.host_namespaces == ("pid",)
    assert facts.mounts == ("/etc",)
