"""The doctor's checks of the engine, its guard, and everybody who can command it. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any, Final

from pratique.model import Protocol, PublishedPort
from pratique.pipelines.checks import Check, fail, names, ok, warn
from pratique.pipelines.examine import ContainerFacts, EngineFacts, Facts
from pratique.runtime import EngineInfo
from pratique.runtime.exposure import EngineProcess, SocketFacts

_NATIVE_GRPC: Final = (29, 2)
_SWARM_PORTS: Final = frozenset({2377, 7946})
"""Managers' and gossip ports: both have mutual TLS or carry no commands."""
_MERGED_FILES: Final = frozenset({"overlay2", "overlayfs"})
_OTHERS_WRITE: Final = 0o002
_GROUP_WRITE: Final = 0o020


def judge_engine(facts: Facts) -> Iterator[Check]:
    """Judge the engine itself and the guard in front of it."""
    if isinstance(facts.engine, str):
        yield fail(
            "engine", facts.engine, "there is nothing to guard",
            "start it, or name the right one with DOCKER_HOST; 'pratique up --start-engine' starts one",
        )  # fmt: skip
    else:
        yield from _engine(facts.engine.info)
        yield _cgroup_parent(facts.subject.cgroup_parent, facts.engine)
    yield _guard(facts)
    if isinstance(facts.config, str):
        yield warn(
            "daemon.json", f"{facts.subject.daemon_json}: {facts.config}", "the guard cannot be installed",
            "mend the file; 'dockerd --validate --config-file FILE' tells more",
        )  # fmt: skip
    yield ok("agent", "an agent runs on this host" if facts.agent else "no agent runs on this host now")


def judge_exposure(facts: Facts) -> Iterator[Check]:
    """Judge who can command the engine, and what its containers were given."""
    yield _tcp(facts)
    for facts_of_socket in facts.sockets:
        yield _socket(facts_of_socket)
    if isinstance(facts.engine, str):
        return
    containers = facts.engine.containers
    roads = [PurePath(found.path) for found in facts.sockets]
    yield _containers(
        "engine socket", containers, lambda container: _leads_to(container, roads), "have the engine's socket mounted",
        "whoever is in them commands the engine, and is root on the host", "run them without it",
    )  # fmt: skip
    yield _containers(
        "privileged", containers, lambda container: container.privileged, "run privileged",
        "whoever is in them is root on the host", "grant single capabilities or devices in place of --privileged",
    )  # fmt: skip
    yield _containers(
        "raw sockets", containers, lambda container: container.raw_sockets, "have CAP_NET_RAW (Docker's default)",
        "they can forge packets to their neighbours",
        "run them with --cap-drop NET_RAW; Pratique closes packet sockets to all",
    )  # fmt: skip
    yield _containers(
        "confinement", containers, lambda container: bool(container.unconfined), "run with seccomp or AppArmor off",
        "every system call of the kernel is open to them", "run them without --security-opt …=unconfined",
    )  # fmt: skip
    yield _containers(
        "host namespaces", containers, lambda container: bool(container.host_namespaces),
        "share namespaces of the host", "they see and reach what is the host's own",
        "run them without --network, --pid, --ipc, --userns or --uts host",
    )  # fmt: skip


def _engine(info: EngineInfo) -> Iterator[Check]:
    yield ok("engine", f"version {info.version}, API {info.api_version}")
    version = re.match(r"(\d+)\.(\d+)", info.version)
    if version and (int(version[1]), int(version[2])) >= _NATIVE_GRPC:
        yield warn(
            "native builds", f"engine {info.version} takes BuildKit's gRPC beside its API",
            "builds over it are not asked about; what they make still needs a passing report to run",
            "keep untrusted clients away from the socket",
        )  # fmt: skip
    if info.storage_driver in _MERGED_FILES:
        yield ok("storage driver", info.storage_driver)
    else:
        yield warn(
            "storage driver", info.storage_driver, "the kernel cannot tell an image's files from ones written later",
            "use overlay2",
        )  # fmt: skip
    if info.live_restore:
        yield ok("live-restore", "containers go on while the engine restarts")
    else:
        yield warn(
            "live-restore",
            "off",
            "containers end whenever the engine restarts",
            'set "live-restore": true in daemon.json',
        )
    if info.insecure_registries:
        yield warn(
            "registries", f"insecure: {names(info.insecure_registries)}", "images can be changed on their way",
            "give these registries certificates and take them off insecure-registries",
        )  # fmt: skip
    else:
        yield ok("registries", "none is asked insecurely")


def _cgroup_parent(configured: str, engine: EngineFacts) -> Check:
    info = engine.info
    systemd = info.cgroup_driver == "systemd"
    parent = configured or ("system.slice" if systemd else "/docker")
    kind = f"{info.cgroup_driver} driver, cgroup version {info.cgroup_version}"
    below = [(container.name, PurePath(container.cgroup).parent) for container in engine.containers if container.cgroup]
    outside = [
        f"{name} in {above}" for name, above in below
        if (above.name != PurePath(parent).name if systemd else above != PurePath("/", parent))
    ]  # fmt: skip
    if outside:
        return warn(
            "cgroups of containers", f"{kind}; not below {parent}: {names(outside)}",
            "the sensor neither sees nor holds these containers",
            "set PRATIQUE_CGROUP_PARENT to the engine's cgroup-parent; '/' needs a newer runc or cgroup version 2",
        )  # fmt: skip
    return ok("cgroups of containers", f"{kind}, below {parent}")


def _guard(facts: Facts) -> Check:
    plugin = facts.subject.plugin_name
    configured = plugin in _configured(facts.config, facts.processes, "authorization-plugins", "authorization-plugin")
    started = not isinstance(facts.engine, str) and plugin in facts.engine.info.authorization_plugins
    if configured and facts.plugin_answers:
        return ok("guard", f"the engine is told to ask {plugin!r}, and it answers")
    if configured:
        return warn(
            "guard", f"the engine is told to ask {plugin!r}, but nobody answers on {facts.subject.plugin_socket}",
            "the engine refuses every request", "run 'pratique agent', or 'pratique guard uninstall'",
        )  # fmt: skip
    found = "the engine asks nobody about requests"
    if started:
        # docker info goes on showing the list of the start after a reload by SIGHUP
        found = f"the engine was started with {plugin!r} but its configuration does not name it any more"
    return warn(
        "guard", found, "whoever reaches its API is root on this host",
        "'pratique up' puts the guard in front of it; 'pratique guard install' does so for an agent",
    )  # fmt: skip


def open_endpoints(
    config: dict[str, Any] | str, processes: Sequence[EngineProcess], published: Iterable[PublishedPort]
) -> list[str]:
    """Return the TCP addresses on which the engine serves its API to clients without a certificate.

    :param config: the engine's ``daemon.json``, or why it cannot be read
    :param published: ports of running containers: without the userland proxy the engine itself holds these
    """
    configured = [host for host in _configured(config, processes, "hosts") if host.startswith("tcp://")]
    if any(_true(value) for value in _configured(config, processes, "tlsverify")):
        return []
    held = {(port.address, port.port) for port in published if port.protocol is Protocol.TCP}
    listeners = [one for process in processes for one in process.listeners if (one.address, one.port) not in held]
    listening = [str(listener) for listener in listeners if listener.port not in _SWARM_PORTS]
    metrics = _configured(config, processes, "metrics-addr")
    return [address for address in listening if address not in metrics] or configured


def _tcp(facts: Facts) -> Check:
    containers = () if isinstance(facts.engine, str) else facts.engine.containers
    published = [port for container in containers for port in container.published]
    found = open_endpoints(facts.config, facts.processes, published)
    if found:
        return warn(
            "API on TCP", f"{names(found)} without client certificates", "whoever can connect is root on this host",
            "take the address off the engine's hosts, or set tlsverify with certificates",
        )  # fmt: skip
    return ok("API on TCP", "the engine does not listen on TCP, or only for clients with a certificate")


def _configured(
    config: dict[str, Any] | str, processes: Sequence[EngineProcess], key: str, option: str = ""
) -> list[str]:
    """Return the values of a setting in ``daemon.json`` and on the command lines of the engines."""
    values: list[Any] = []
    if isinstance(config, dict):
        value = config.get(key, [])
        values += value if isinstance(value, list) else [value]
    for process in processes:
        values += process.hosts if key == "hosts" else process.option(option or key)
    return [str(value) for value in values]


def _true(value: str) -> bool:
    return value.lower() in {"", "true", "1"}


def _socket(found: SocketFacts) -> Check:
    name = PurePath(found.path).name
    shown = f"{found.path} {found.owner}:{found.group} {found.mode:04o}"
    if found.mode & _OTHERS_WRITE:
        return warn(name, shown, "every user of this host can become root through it", f"chmod o-rw {found.path}")
    if found.mode & _GROUP_WRITE and found.members:
        return warn(
            name, f"{shown}, group members: {names(found.members)}", "these users can become root through it",
            f"take users who need not be root out of the group {found.group}",
        )  # fmt: skip
    return ok(name, shown)


def _leads_to(container: ContainerFacts, sockets: list[PurePath]) -> bool:
    return any(path == mount or mount in path.parents for mount in map(PurePath, container.mounts) for path in sockets)


def _containers(
    name: str,
    containers: tuple[ContainerFacts, ...],
    concerns: Callable[[ContainerFacts], bool],
    what: str,
    follows: str,
    mend: str,
) -> Check:
    found = [container.name for container in containers if concerns(container)]
    if not found:
        return ok(name, f"none of {len(containers)} running containers")
    return warn(name, f"{what}: {names(found)}", follows, mend)
