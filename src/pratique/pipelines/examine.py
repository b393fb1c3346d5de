"""Gathers what the doctor judges: the host, its engine and containers, and what the kernel lets the sensor do.

Features are tried, not guessed: the sensor's own programs are loaded, attached to an empty cgroup made for it, pinned,
and taken away again. Nothing else of the host changes.
"""

import contextlib
import os
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from pratique.errors import EngineError, PratiqueError
from pratique.model import DriftMode, EgressMode, KernelPolicy, PublishedPort
from pratique.pipelines.presence import agent_runs
from pratique.runtime import Engine, EngineInfo
from pratique.runtime.exposure import (
    CONTAINERD_SOCKETS,
    EngineProcess,
    SocketFacts,
    answers,
    engine_processes,
    only_behind,
    read_engine_config,
    socket_facts,
)
from pratique.runtime.host import HostFacts, host_facts, unified_cgroup
from pratique.sensor import Parent, ParentKind, Sensor

WHOLE_SENSOR: Final = "sensor"
"""Stands for all features where none could even be tried."""
_BPFFS: Final = Path("/sys/fs/bpf")


class Subject(Struct, frozen=True):
    """Which engine and which installation to look at."""

    docker_host: str
    daemon_json: Path
    plugin_name: str
    plugin_socket: Path
    run_dir: Path
    cgroup_parent: str = ""
    """Where containers are looked for; empty: where the engine's cgroup driver puts them by default."""


class ContainerFacts(Struct, frozen=True):
    """What a running container was given that matters to the host."""

    name: str
    privileged: bool = False
    raw_sockets: bool = False
    """CAP_NET_RAW."""
    unconfined: tuple[str, ...] = ()
    """``seccomp``, ``apparmor``: what was switched off."""
    host_namespaces: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    """Sources of its mounts, symbolic links resolved."""
    cgroup: str = ""
    """Its cgroup in the unified hierarchy: ``/docker/<id>``; ``/``: it has none; empty: not known."""
    published: tuple[PublishedPort, ...] = ()


class EngineFacts(Struct, frozen=True):
    """The engine and what it runs."""

    info: EngineInfo
    containers: tuple[ContainerFacts, ...]


class Facts(Struct, frozen=True):
    """All that the doctor judges."""

    subject: Subject
    host: HostFacts
    engine: EngineFacts | str
    """Or why it does not answer."""
    processes: tuple[EngineProcess, ...]
    config: dict[str, Any] | str
    """The engine's ``daemon.json``, or why it cannot be read."""
    sockets: tuple[SocketFacts, ...]
    """The engine's and containerd's."""
    features: dict[str, str]
    """Feature of the sensor → ``live`` or why not; empty: not tried."""
    plugin_answers: bool
    agent: bool
    """An agent of Pratique runs."""


async def examine(subject: Subject) -> Facts:
    """Gather the facts. Works without privileges and without an engine; what cannot be known is told as such."""
    host = host_facts()
    processes = only_behind(subject.docker_host, engine_processes())
    engine = await _engine(subject.docker_host)
    named = next((process.config_file for process in processes if process.config_file), "")
    paths = [Path(subject.docker_host.removeprefix("unix://"))] if subject.docker_host.startswith("unix://") else []
    sockets = [facts for path in (*paths, *CONTAINERD_SOCKETS) if (facts := socket_facts(path)) is not None]
    return Facts(
        subject=subject,
        host=host,
        engine=engine,
        processes=processes,
        config=read_engine_config(Path(named) if len(processes) == 1 and named else subject.daemon_json),
        sockets=tuple(sockets),
        features=_features(host),
        plugin_answers=answers(subject.plugin_socket),
        agent=agent_runs(subject.run_dir),
    )


async def _engine(docker_host: str) -> EngineFacts | str:
    try:
        async with Engine.connect(docker_host) as engine:
            info = await engine.info()
            containers = []
            for container in await engine.containers():
                document = await engine.inspect_container(container.id) if container.running else None
                if document is not None:
                    containers.append(replace(container_facts(document), published=container.published))
            return EngineFacts(info=info, containers=tuple(containers))
    except EngineError as error:
        return error.what


def container_facts(document: dict[str, Any]) -> ContainerFacts:
    """Return what matters of ``GET /containers/{id}/json``."""
    host = document.get("HostConfig") or {}
    added, dropped = (
        {str(name).upper().removeprefix("CAP_") for name in host.get(key) or ()} for key in ("CapAdd", "CapDrop")
    )
    privileged = bool(host.get("Privileged"))
    raw = bool({"NET_RAW", "ALL"} & added) or not {"NET_RAW", "ALL"} & dropped
    options = [str(option).replace("=", ":", 1) for option in host.get("SecurityOpt") or ()]
    namespaces = {"network": "NetworkMode", "pid": "PidMode", "ipc": "IpcMode", "user": "UsernsMode", "uts": "UTSMode"}
    return ContainerFacts(
        name=str(document.get("Name", "")).removeprefix("/"),
        privileged=privileged,
        raw_sockets=privileged or raw,
        unconfined=tuple(option.partition(":")[0] for option in options if option.endswith(":unconfined")),
        host_namespaces=tuple(name for name, key in namespaces.items() if host.get(key) == "host"),
        mounts=tuple(
            os.path.realpath(str(mount["Source"])) for mount in document.get("Mounts") or () if mount.get("Source")
        ),
        cgroup=unified_cgroup(int((document.get("State") or {}).get("Pid") or 0)),
    )


def _features(host: HostFacts) -> dict[str, str]:
    """Start the whole sensor on an empty cgroup and end it again."""
    if host.bpf or host.missing_capabilities or not (host.unified and host.bpffs and host.tracefs):
        return {}
    name = f"pratique-doctor-{os.getpid()}"
    cgroup = Path(host.unified) / name
    policy = KernelPolicy(id=0, egress=EgressMode.LEARN, drift=DriftMode.ALERT)
    try:
        sensor = Sensor.open([Parent(path=cgroup, kind=ParentKind.ALL)], _BPFFS / name, [policy], {})
        states = sensor.features
        sensor.close(keep=False)
    except (PratiqueError, OSError) as error:
        states = {WHOLE_SENSOR: str(error)}
    finally:
        with contextlib.suppress(OSError):
            cgroup.rmdir()
    return states
