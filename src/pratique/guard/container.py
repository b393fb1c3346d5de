"""Judges what a container asks of the host. Pure.

Every violation names a rule and the permit that an image's policy entry can give for it. Facts that a judge needs
(other containers, volumes, where symbolic links lead) are gathered before; :func:`needs` says which.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from pratique.guard.paths import PathKind, classify
from pratique.guard.refusal import Refusal
from pratique.guard.settings import HostConfig, Inspected, MountPoint, MountRequest, Volume, words
from pratique.policy import Permit

DEFAULT_CAPABILITIES: Final = words(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID "
    "SYS_CHROOT"
)
"""What the engine gives to every container (moby, ``oci/caps/defaults.go``)."""

_MASKED: Final = words(
    "/proc/acpi /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/sched_debug /proc/scsi /sys/firmware"
)
_READONLY: Final = words("/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger")
"""What every engine since 20.10 masks and makes read-only by default."""

_RUNTIMES: Final = frozenset({"", "runc", "io.containerd.runc.v2"})
_LOCAL_LOGS: Final = frozenset({"", "none", "json-file", "local", "journald"})
_PRIVATE: Final = frozenset({"", "private", "rprivate", "slave", "rslave"})
_SAFE_OPTIONS: Final = ("no-new-privileges", "label=level:", "label:level:")
_SAFE_PROFILES: Final = frozenset({"apparmor=docker-default", "apparmor:docker-default", "seccomp=builtin"})
_MODE_RULES: Final = (
    ("network_mode", "create.host-network", Permit.HOST_NETWORK, "the host's network"),
    ("pid_mode", "create.host-pid", Permit.HOST_PID, "the host's processes"),
    ("ipc_mode", "create.host-ipc", Permit.HOST_IPC, "the host's IPC namespace"),
    ("uts_mode", "create.host-uts", Permit.HOST_UTS, "the host's UTS namespace"),
    ("userns_mode", "create.host-userns", Permit.HOST_USERNS, "the host's user namespace"),
)


class Violation(Struct, frozen=True):
    """Something that a container may have only with a permit; without one of that kind at all, ``permit`` is None."""

    rule: str
    permit: Permit | None
    what: str
    remedy: str = ""

    def refusal(self, *, is_known: bool = True) -> Refusal:
        """Return the refusal with the two ways out: the permit, or without.

        :param is_known: the engine has the image; else nothing can be permitted to it
        """
        if self.permit is None:
            return Refusal(self.rule, self.what, self.remedy)
        if not is_known:
            what = f"the container asks for {self.what}, and its image is not here"
            return Refusal(self.rule, what, "pull the image first; then its permits count")
        ways = f"add permit: [{self.permit}] to the policy entry of this image, or {self.remedy or 'leave it out'}"
        return Refusal(self.rule, f"the container asks for {self.what}", ways)


class Facts(Struct, frozen=True):
    """What the judge must know of the host."""

    containers: dict[str, Inspected | None] = {}
    """By the name in the request; ``None``: there is no such container."""
    volumes: dict[str, Volume | None] = {}
    """By name; ``None``: the engine will make it."""
    paths: dict[str, str | None] = {}
    """A path of the host → where it leads through symbolic links; ``None``: it does not exist."""
    sensitive: tuple[str, ...] = ()
    """Paths that are sensitive on this host beyond the usual ones."""


class Needs(Struct, frozen=True):
    """What :class:`Facts` must hold for one container."""

    containers: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()


def needs(host: HostConfig, mounts: tuple[MountPoint, ...] = ()) -> Needs:
    """Return the containers, volumes and host paths that these settings name."""
    joined = {name for _, name in _joined(host)}
    paths: set[str] = set()
    volumes: set[str] = set()
    for source in _sources(host, mounts):
        (paths if source.startswith("/") else volumes).add(source)
    return Needs(frozenset(joined), frozenset(volumes), frozenset(paths))


def volume_paths(volume: Volume) -> frozenset[str]:
    """Return the host path that a volume's options mount, if any."""
    device = (volume.options or {}).get("device", "")
    return frozenset({device} if device.startswith("/") else ())


def mounts_something(options: Mapping[str, str]) -> bool:
    """Tell whether a local volume's options mount more than a directory or memory of its own.

    With ``bind`` among the mount options the kernel ignores the type, ``tmpfs`` too (mount(2), ``MS_BIND``).
    """
    return bool(options.get("device")) and (options.get("type") != "tmpfs" or "bind" in options.get("o", ""))


def violations(
    host: HostConfig, facts: Facts, mounts: tuple[MountPoint, ...] = (), *, starting: bool = False
) -> Iterator[Violation]:
    """Yield everything in a container's settings that needs a permit.

    :param mounts: what the engine made of the request, when the container exists already
    :param starting: the settings come from ``inspect``, where the engine has filled in its defaults
    """
    yield from _own(host, facts, mounts, starting=starting)
    for through, name in _joined(host):
        # volumes were taken over when the container was made, so at its start their giver may be gone
        if facts.containers.get(name) is None and not (starting and through == "VolumesFrom"):
            what = f"{through} names container {name[:80]!r}, which cannot be judged"
            yield Violation("create.joined-container", None, what, "start that container first")
    for name, other in _all_joined(host, facts):
        for violation in _own(other.host_config, facts, other.mounts, starting=True):
            yield Violation(violation.rule, violation.permit, f"{violation.what} through container {name[:80]}")


def _own(host: HostConfig, facts: Facts, mounts: tuple[MountPoint, ...], *, starting: bool) -> Iterator[Violation]:
    yield from _isolation(host)
    if host.cgroupns_mode == "host" and not starting:  # cgroup v1 engines fill in "host" for every container
        yield Violation("create.host-cgroupns", Permit.HOST_CGROUPNS, "the host's cgroup namespace")
    yield from _kernel(host)
    yield from _drivers(host)
    yield from _mounts(host, facts, mounts, starting=starting)


def _isolation(host: HostConfig) -> Iterator[Violation]:
    if host.privileged:
        yield Violation("create.privileged", Permit.PRIVILEGED, "privileged mode", "run without --privileged")
    for attribute, rule, permit, what in _MODE_RULES:
        if getattr(host, attribute) == "host":
            yield Violation(rule, permit, what)
    if host.cgroup_parent or host.cgroup:
        asked = f"the cgroup {(host.cgroup_parent or host.cgroup)[:80]!r}"
        yield Violation("create.cgroup-parent", Permit.CGROUP_PARENT, asked)
    if host.devices or host.device_cgroup_rules or host.device_requests:
        yield Violation("create.devices", Permit.DEVICES, "devices of the host")


def _kernel(host: HostConfig) -> Iterator[Violation]:
    added = (host.cap_add,) if isinstance(host.cap_add, str) else host.cap_add
    beyond = sorted({name.upper().removeprefix("CAP_") for name in added} - DEFAULT_CAPABILITIES)
    if beyond:
        yield Violation("create.capabilities", Permit.CAPABILITIES, f"the capabilities {', '.join(beyond)[:200]}")
    for option in host.security_opt:
        if option not in _SAFE_PROFILES and not option.startswith(_SAFE_OPTIONS):
            yield Violation("create.unconfined", Permit.UNCONFINED, f"the security option {option[:80]!r}")
    masked, readonly = host.masked_paths, host.readonly_paths
    if (masked is not None and _MASKED - set(masked)) or (readonly is not None and _READONLY - set(readonly)):
        yield Violation("create.unmasked", Permit.UNCONFINED, "unmasked paths of /proc and /sys")
    if host.sysctls:
        yield Violation("create.sysctls", Permit.SYSCTLS, f"the kernel settings {', '.join(host.sysctls)[:200]}")


def _drivers(host: HostConfig) -> Iterator[Violation]:
    if host.runtime not in _RUNTIMES:
        yield Violation("create.runtime", Permit.DRIVERS, f"the runtime {host.runtime[:80]!r}")
    if host.annotations:
        yield Violation("create.runtime", Permit.DRIVERS, f"the annotations {', '.join(host.annotations)[:200]}")
    if host.log_config.type not in _LOCAL_LOGS:
        yield Violation("create.log-driver", Permit.DRIVERS, f"the log driver {host.log_config.type[:80]!r}")
    if host.volume_driver not in ("", "local"):
        yield Violation("create.volume-driver", Permit.DRIVERS, f"the volume driver {host.volume_driver[:80]!r}")


def _mounts(host: HostConfig, facts: Facts, mounts: tuple[MountPoint, ...], *, starting: bool) -> Iterator[Violation]:
    for source in sorted(_sources(host, mounts)):
        if source.startswith("/"):
            yield from _host_path(source, facts, starting=starting)
        elif (volume := facts.volumes.get(source)) is not None:
            yield from _volume(f"volume {source[:80]}", volume, facts, starting=starting)
    for mount in host.mounts:
        yield from _mount(mount, facts, starting=starting)
    modes = {mode for bind in host.binds for mode in bind.split(":")[2:] for mode in mode.split(",")}
    shared = {*modes & {"shared", "rshared"}}
    shared |= {options.propagation for mount in host.mounts if (options := mount.bind_options)} - _PRIVATE
    shared |= {mount.propagation for mount in mounts} - _PRIVATE
    if shared:
        yield Violation("create.propagation", Permit.SENSITIVE_PATHS, f"{min(shared)} mount propagation")


def _mount(mount: MountRequest, facts: Facts, *, starting: bool) -> Iterator[Violation]:
    if mount.type not in ("bind", "volume", "tmpfs"):
        yield Violation(
            "create.mount-type",
            None,
            f"the mount at {mount.target[:80]} has type {mount.type[:20]!r}",
            "use bind, volume or tmpfs",
        )
    if mount.type == "bind" and not mount.source.startswith("/"):
        yield Violation("create.host-path", None, f"the bind source {mount.source[:80]!r} is not absolute")
    if mount.type == "volume" and mount.volume_options and (driver := mount.volume_options.driver_config):
        inline = Volume(driver=driver.name or "local", options=driver.options)
        yield from _volume(f"the volume at {mount.target[:80]}", inline, facts, starting=starting)


def _volume(name: str, volume: Volume, facts: Facts, *, starting: bool) -> Iterator[Violation]:
    options = volume.options or {}
    if volume.driver != "local":
        yield Violation("create.volume-driver", Permit.DRIVERS, f"{name} with the driver {volume.driver[:80]!r}")
        return
    if not mounts_something(options):
        return
    device = options["device"]
    if device.startswith("/") and "bind" in options.get("o", ""):
        yield from _host_path(device, facts, starting=starting, via=f" as {name}")
    else:
        what = f"{name} on {device[:80]!r} of type {options.get('type', '')[:20]!r}"
        yield Violation("create.volume-options", Permit.SENSITIVE_PATHS, what)


def _host_path(path: str, facts: Facts, *, starting: bool, via: str = "") -> Iterator[Violation]:
    target = facts.paths.get(path)
    shown = f"{path[:120]}{via}" + (f" (which is {target[:120]})" if target and target != path else "")
    kinds = {classify(one, also=facts.sensitive) for one in (path, target) if one}
    if PathKind.ENGINE_SOCKET in kinds:
        yield Violation("create.engine-socket", Permit.ENGINE_SOCKET, f"the engine's socket {shown}")
    elif PathKind.SENSITIVE in kinds:
        yield Violation("create.sensitive-path", Permit.SENSITIVE_PATHS, f"the sensitive host path {shown}")
    elif target is None and not starting:
        yield Violation("create.missing-path", None, f"the host path {shown} does not exist", "create it first")
    else:
        yield Violation("create.host-path", Permit.HOST_PATHS, f"the host path {shown}")


def _sources(host: HostConfig, mounts: tuple[MountPoint, ...]) -> frozenset[str]:
    """Return host paths (with a leading slash) and volume names that are mounted."""
    found = {bind.split(":", 1)[0] for bind in host.binds if ":" in bind}
    found |= {mount.source for mount in host.mounts if mount.type in ("bind", "volume") and mount.source}
    for mount in mounts:
        found |= {mount.name} if mount.type == "volume" else {mount.source} if mount.type == "bind" else set()
    return frozenset(found - {""})


def _joined(host: HostConfig) -> Iterator[tuple[str, str]]:
    for attribute, what in (
        ("network_mode", "NetworkMode"),
        ("pid_mode", "PidMode"),
        ("ipc_mode", "IpcMode"),
        ("uts_mode", "UTSMode"),
    ):
        kind, _, name = getattr(host, attribute).partition(":")
        if kind == "container" and name:
            yield what, name
    for entry in host.volumes_from:
        if name := entry.split(":", 1)[0]:
            yield "VolumesFrom", name


def _all_joined(host: HostConfig, facts: Facts) -> Iterator[tuple[str, Inspected]]:
    """Follow the containers that are joined, and those that they join."""
    waiting, seen = [name for _, name in _joined(host)], set()
    while waiting:
        name = waiting.pop()
        other = facts.containers.get(name)
        if other is not None and name not in seen:
            seen.add(name)
            yield name, other
            waiting.extend(name for _, name in _joined(other.host_config))
