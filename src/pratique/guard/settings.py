"""The settings of a container, as far as they are judged: one set of structs for requests and for ``inspect``.

Fields of ``ContainerConfigWrapper``, ``Config`` and ``HostConfig`` (moby, ``api/types/container``), API 1.40 to 1.5x.
``IGNORED`` are the fields that are known and can do no harm to the host; any other field is refused.
"""

from typing import Any, ClassVar

from msgspec import Struct, field
from msgspec.structs import fields


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


class BindOptions(Struct, frozen=True, rename="pascal"):
    """Options of a bind mount."""

    IGNORED: ClassVar = words("NonRecursive CreateMountpoint ReadOnlyNonRecursive ReadOnlyForceRecursive")
    propagation: str = ""


class Driver(Struct, frozen=True, rename="pascal"):
    """A volume driver and its options."""

    name: str = ""
    options: dict[str, str] = {}


class VolumeOptions(Struct, frozen=True, rename="pascal"):
    """Options of a volume mount."""

    IGNORED: ClassVar = words("NoCopy Labels Subpath")
    driver_config: Driver | None = None


class MountRequest(Struct, frozen=True, rename="pascal"):
    """One element of ``HostConfig.Mounts``."""

    IGNORED: ClassVar = words("ReadOnly Consistency TmpfsOptions ClusterOptions")
    type: str = ""
    source: str = ""
    target: str = ""
    bind_options: BindOptions | None = None
    volume_options: VolumeOptions | None = None


class LogConfig(Struct, frozen=True, rename="pascal"):
    """Where the container's output goes."""

    IGNORED: ClassVar = words("Config")
    type: str = ""


class HostConfig(Struct, frozen=True, rename="pascal"):
    """What a container asks of the host."""

    IGNORED: ClassVar = words("""
        AutoRemove BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps BlkioWeight
        BlkioWeightDevice CapDrop ConsoleSize ContainerIDFile CpuCount CpuPercent CpuPeriod CpuQuota CpuRealtimePeriod
        CpuRealtimeRuntime CpuShares CpusetCpus CpusetMems Dns DnsOptions DnsSearch ExtraHosts GroupAdd
        IOMaximumBandwidth IOMaximumIOps Init Isolation KernelMemory KernelMemoryTCP Links Memory MemoryReservation
        MemorySwap MemorySwappiness NanoCpus OomKillDisable OomScoreAdj PidsLimit PortBindings PublishAllPorts
        ReadonlyRootfs RestartPolicy ShmSize StorageOpt Tmpfs Ulimits""")
    privileged: bool = False
    network_mode: str = ""
    pid_mode: str = ""
    ipc_mode: str = ""
    uts_mode: str = field(name="UTSMode", default="")
    userns_mode: str = ""
    cgroupns_mode: str = ""
    cgroup: str = ""
    cgroup_parent: str = ""
    binds: tuple[str, ...] = ()
    mounts: tuple[MountRequest, ...] = ()
    volumes_from: tuple[str, ...] = ()
    volume_driver: str = ""
    devices: tuple[Any, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    device_requests: tuple[Any, ...] = ()
    cap_add: tuple[str, ...] | str = ()
    security_opt: tuple[str, ...] = ()
    masked_paths: tuple[str, ...] | None = None
    readonly_paths: tuple[str, ...] | None = None
    sysctls: dict[str, str] = {}
    runtime: str = ""
    annotations: dict[str, str] = {}
    log_config: LogConfig = LogConfig()


class CreateBody(Struct, frozen=True, rename="pascal"):
    """The body of ``POST /containers/create``. Old engines read fields of HostConfig here too."""

    IGNORED: ClassVar = words("""
        ArgsEscaped AttachStderr AttachStdin AttachStdout Cmd Domainname Entrypoint Env ExposedPorts Healthcheck
        Hostname Labels MacAddress NetworkDisabled NetworkingConfig OnBuild OpenStdin Shell StdinOnce StopSignal
        StopTimeout Tty User Volumes WorkingDir""")
    MISPLACED: ClassVar = HostConfig.IGNORED | {*(one.encode_name for one in fields(HostConfig)), "Cpuset"}
    image: str = ""
    host_config: HostConfig = HostConfig()


class ExecBody(Struct, frozen=True, rename="pascal"):
    """The body of ``POST /containers/X/exec``."""

    IGNORED: ClassVar = words("""
        AttachStderr AttachStdin AttachStdout Cmd ConsoleSize Container Detach DetachKeys Env Tty User WorkingDir""")
    privileged: bool = False


class ExecStartBody(Struct, frozen=True, rename="pascal"):
    """The body of ``POST /exec/X/start``."""

    IGNORED: ClassVar = words("ConsoleSize Detach Tty")


class UpdateBody(Struct, frozen=True, rename="pascal"):
    """The body of ``POST /containers/X/update``: limits, restart policy; engines ignore devices in it."""

    IGNORED: ClassVar = HostConfig.IGNORED | words("Devices DeviceCgroupRules DeviceRequests")
    cgroup_parent: str = ""


class Ipam(Struct, frozen=True, rename="pascal"):
    """How a network's addresses are given out."""

    IGNORED: ClassVar = words("Config Options")
    driver: str = ""


class NetworkBody(Struct, frozen=True, rename="pascal"):
    """The body of ``POST /networks/create``."""

    IGNORED: ClassVar = words("Attachable CheckDuplicate EnableIPv4 EnableIPv6 Internal Labels Name")
    driver: str = ""
    scope: str = ""
    options: dict[str, str] = {}
    ingress: bool = False
    config_only: bool = False
    config_from: dict[str, str] = {}
    ipam: Ipam = field(name="IPAM", default=Ipam())


class VolumeBody(Struct, frozen=True, rename="pascal"):
    """The body of ``POST /volumes/create``."""

    IGNORED: ClassVar = words("Labels Name")
    driver: str = ""
    driver_opts: dict[str, str] = {}


class MountPoint(Struct, frozen=True, rename="pascal"):
    """One element of ``Mounts`` in what ``inspect`` says of a container."""

    type: str = ""
    name: str = ""
    source: str = ""
    destination: str = ""
    driver: str = ""
    propagation: str = ""


class Inspected(Struct, frozen=True, rename="pascal"):
    """What ``GET /containers/X/json`` says, as far as it is judged."""

    id: str
    image: str = ""
    name: str = ""
    host_config: HostConfig = HostConfig()
    mounts: tuple[MountPoint, ...] = ()


class Volume(Struct, frozen=True, rename="pascal"):
    """What ``GET /volumes/X`` says, as far as it is judged."""

    driver: str = "local"
    options: dict[str, str] | None = None
