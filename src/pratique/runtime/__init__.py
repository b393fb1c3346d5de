"""Container engines.

In: the engine's API, ``/proc``, the cgroup file system. Out: images, containers, events. Never: knows policy.
"""

from pratique.runtime.actions import Actions
from pratique.runtime.addresses import host_addresses
from pratique.runtime.cgroups import ContainerParent, Hierarchy, container_parents, unified_mount
from pratique.runtime.engine import OWN_CALL_HEADER, Engine, EngineEvent, EngineInfo
from pratique.runtime.launch import engine_is_running, start_engine, systemd_is_running
from pratique.runtime.mounts import mount_kernel_filesystems

__all__ = [
    "OWN_CALL_HEADER",
    "Actions",
    "ContainerParent",
    "Engine",
    "EngineEvent",
    "EngineInfo",
    "Hierarchy",
    "container_parents",
    "engine_is_running",
    "host_addresses",
    "mount_kernel_filesystems",
    "start_engine",
    "systemd_is_running",
    "unified_mount",
]
