"""What this host can and cannot do: facts in, checks out. Pure; :mod:`.examine` gathers the facts."""

import re
from collections.abc import Iterator
from typing import Final

from pratique.pipelines.checks import Check, Status, fail, ok, warn
from pratique.pipelines.examine import WHOLE_SENSOR, Facts
from pratique.pipelines.exposed import judge_engine, judge_exposure
from pratique.runtime import Hierarchy
from pratique.runtime.host import HostFacts
from pratique.sensor import LIVE

_OLDEST_KERNEL: Final = (5, 17)
_FEATURES: Final = {
    "egress": ("per-image allow-lists cannot be enforced", Status.FAIL),
    "process": ("executables that are not of the image cannot be stopped", Status.FAIL),
    "packet-socket": ("sockets below IP are not closed to containers with NET_RAW", Status.WARN),
    "packet-link": ("frames sent below IP through io_uring are not stopped", Status.WARN),
    "opened": ("it is not known which packages of its image a container uses", Status.WARN),
    WHOLE_SENSOR: ("nothing can be enforced in the kernel", Status.FAIL),
}
"""Feature → (what follows when it is not live, how grave that is)."""


def judge(facts: Facts) -> tuple[Check, ...]:
    """Return all checks in the order in which one would mend them."""
    return (*_judge_host(facts.host), *_judge_features(facts), *judge_engine(facts), *judge_exposure(facts))


def failed(checks: tuple[Check, ...]) -> tuple[str, ...]:
    """Return the names of what keeps this host from being protected."""
    return tuple(check.name for check in checks if check.status is Status.FAIL)


def _judge_host(host: HostFacts) -> Iterator[Check]:
    yield _privileges(host)
    yield _kernel(host)
    if host.btf:
        yield ok("BTF", "the kernel describes its types")
    else:
        yield fail(
            "BTF", "no /sys/kernel/btf/vmlinux", "BPF programs cannot be fitted to this kernel",
            "run a kernel with CONFIG_DEBUG_INFO_BTF=y, as distributions ship since 2021",
        )  # fmt: skip
    yield _bpf(host)
    yield _lockdown(host)
    modules = "not known" if not host.security_modules else "on" if "bpf" in host.security_modules else "off"
    yield ok("BPF LSM", f"{modules}; Pratique does not need it")
    for name, mounted in (("bpffs", host.bpffs), ("tracefs", host.tracefs)):
        target = "/sys/fs/bpf" if name == "bpffs" else "/sys/kernel/tracing"
        if mounted:
            yield ok(name, f"mounted at {target}")
        else:
            kind = "bpf" if name == "bpffs" else name
            yield warn(
                name, f"not mounted at {target}", "'pratique up' and 'pratique agent' mount it themselves",
                f"to try the sensor now: mount -t {kind} {kind} {target}",
            )  # fmt: skip
    yield _cgroups(host)
    if host.systemd:
        yield ok("init system", "systemd")
    else:
        yield ok("init system", "not systemd: 'pratique agent' needs a supervisor of yours to start it after a boot")


def _privileges(host: HostFacts) -> Check:
    missing = ", ".join(host.missing_capabilities)
    if not missing:
        return ok("privileges", f"uid {host.user} with all capabilities that are needed")
    return fail(
        "privileges",
        f"uid {host.user} lacks {missing}",
        "the kernel cannot be asked to enforce anything",
        "run as root",
    )


def _kernel(host: HostFacts) -> Check:
    found = f"{host.kernel} {host.machine}"
    version = re.match(r"(\d+)\.(\d+)", host.kernel)
    if version and (int(version[1]), int(version[2])) < _OLDEST_KERNEL:
        return fail(
            "kernel", found, "it cannot load the sensor's programs", "run Linux 5.17 or newer; 6.6 has everything"
        )
    return ok("kernel", found)


def _bpf(host: HostFacts) -> Check:
    if not host.bpf:
        return ok("bpf(2)", "there, but not for this user" if host.missing_capabilities else "allowed")
    if host.missing_capabilities:
        return warn("bpf(2)", f"refused to this user: {host.bpf}", "features were not tried", "run as root")
    return fail(
        "bpf(2)", f"refused: {host.bpf}", "nothing can be enforced in the kernel",
        "allow bpf(2) in this container's or virtual machine's seccomp profile, or run on the host itself",
    )  # fmt: skip


def _lockdown(host: HostFacts) -> Check:
    if host.lockdown == "confidentiality":
        return fail(
            "lockdown", "mode confidentiality", "BPF programs may not read kernel memory",
            "boot with lockdown=integrity",
        )  # fmt: skip
    return ok("lockdown", f"mode {host.lockdown}" if host.lockdown else "none, or not told (securityfs)")


def _cgroups(host: HostFacts) -> Check:
    if host.hierarchy is Hierarchy.LEGACY:
        return fail(
            "cgroups", "version 1 only", "the kernel cannot tell containers apart",
            "boot with systemd.unified_cgroup_hierarchy=1, or mount cgroup2 at /sys/fs/cgroup/unified",
        )  # fmt: skip
    kind = "version 2" if host.hierarchy is Hierarchy.UNIFIED else "hybrid"
    return ok("cgroups", f"{kind}, unified hierarchy at {host.unified}")


def _judge_features(facts: Facts) -> Iterator[Check]:
    if not facts.features:
        yield warn(
            "sensor", "not tried", "whether this kernel takes each feature is not known",
            "mend the above, then run 'pratique doctor' again as root",
        )  # fmt: skip
    for name, state in facts.features.items():
        if state == LIVE:
            yield ok(f"feature {name}", "loaded, attached and taken away again")
        else:
            follows, status = _FEATURES.get(name, ("this feature is missing", Status.WARN))
            yield Check(f"feature {name}", status, state, follows, "a newer kernel: 6.6 has everything")
