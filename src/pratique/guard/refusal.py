"""A refusal, and every rule that can be the reason for one.

The ids are stable: people search for them, alerts carry them, and ``docs/guard.md`` lists each (a test compares).
"""

from typing import Final, NoReturn

from pratique.errors import GateError
from pratique.text import printable

RULES: Final[dict[str, str]] = {
    "request.unreadable": "The engine's question is empty or cannot be decoded; a crashed plugin is asked again so.",
    "request.target": "The request target is not a plain path: absolute form, `..`, `//`, encoded slash, odd bytes.",
    "request.query": "The query is not exact: a key twice, a bad escape, a semicolon.",
    "request.api-version": "The API version is oddly written or older than 1.40.",
    "request.unknown-route": "The method and path are not an endpoint that the guard knows.",
    "request.unseen-body": "The engine did not show the guard the body that the request has or should have.",
    "request.body": "The JSON body is not exact: not UTF-8, a key twice, a wrong type, trailing data, too deep.",
    "request.unknown-field": "The body sets a field that the guard does not know.",
    "guard.deadline": "The guard could not decide in time.",
    "guard.failed": "The guard itself failed; it never lets a request through unjudged.",
    "guard.probe": "`pratique guard status` asks for this refusal to see that the guard is there.",
    "guard.busy": "More requests are waiting than the guard takes at once.",
    "build.denied": "Builds on this host are refused by the policy.",
    "build.remote": "The engine itself would fetch the build context.",
    "build.option": "A build option that reaches the host: network, cgroup, security or extra hosts.",
    "image.pull-denied": "Pulling, and looking into registries, is refused by the policy.",
    "image.load-denied": "Loading, importing and committing images is refused by the policy.",
    "image.import-url": "The engine itself would fetch an image from a URL.",
    "create.no-image": "A container without an image.",
    "create.image-name": "The image is not named by a plain reference.",
    "create.legacy-field": "A setting of HostConfig stands at the top level, where only old engines read it.",
    "create.privileged": "Privileged mode.",
    "create.host-network": "The host's network namespace.",
    "create.host-pid": "The host's process namespace.",
    "create.host-ipc": "The host's IPC namespace.",
    "create.host-uts": "The host's UTS namespace.",
    "create.host-userns": "The host's user namespace.",
    "create.host-cgroupns": "The host's cgroup namespace.",
    "create.joined-container": "A container to join, or to take volumes from, that is unknown; or too many of them.",
    "create.host-path": "A path of the host is mounted.",
    "create.missing-path": "A path of the host is mounted that does not exist; the engine would make it as root.",
    "create.sensitive-path": "A sensitive path of the host is mounted, by name or behind a symbolic link.",
    "create.engine-socket": "A container engine's socket is mounted.",
    "create.propagation": "A mount whose mounts propagate back to the host.",
    "create.mount-type": "A mount of a type that the guard does not know.",
    "create.volume-options": "A volume whose options mount something other than a directory of its own.",
    "create.volume-driver": "A volume driver other than `local`.",
    "create.devices": "Devices of the host.",
    "create.capabilities": "Capabilities beyond the engine's default set.",
    "create.unconfined": "seccomp, AppArmor or SELinux switched off or replaced.",
    "create.unmasked": "Masked or read-only paths of /proc and /sys opened.",
    "create.sysctls": "Kernel settings.",
    "create.cgroup-parent": "A cgroup of the caller's choice, which would leave the kernel's policy.",
    "create.runtime": "An OCI runtime other than runc, or annotations that steer the runtime.",
    "create.log-driver": "A log driver that sends off the host.",
    "start.no-report": "The image has no report and could not be scanned.",
    "start.scanning": "The scan of the image is still running.",
    "start.report": "The image's report does not pass.",
    "start.detonating": "The image is being detonated.",
    "start.no-detonation": "The image was not detonated and could not be.",
    "start.detonation": "The image's detonation is not clean.",
    "start.condemned": "The image is condemned, or kin of a condemned one: it holds most of what is that one's own.",
    "start.body": "A start request with a body.",
    "exec.denied": "Exec is refused by the policy.",
    "exec.privileged": "Exec in privileged mode.",
    "copy.denied": "Copying into containers is refused by the policy.",
    "update.cgroup-parent": "An update that moves the container to another cgroup.",
    "checkpoint.denied": "Checkpoints write process images to host paths.",
    "network.driver": "A network driver other than `bridge`.",
    "network.option": "A network option that reaches the host's interfaces.",
    "volume.driver": "A volume driver other than `local`.",
    "volume.options": "A volume on a host path, device or network file system, and no image of the policy may use one.",
    "swarm.denied": "Swarm starts containers without asking the guard.",
    "plugins.denied": "Engine plugins are code that runs as root.",
    "top.arguments": "Arguments for the host's `ps` that are not plain.",
    "debug.denied": "The engine's debugging endpoints.",
}


_MAX_TEXT: Final = 1000


class Refusal(GateError):  # noqa: N818  # an answer, not a failure
    """The guard says no.

    :param rule: an id of :data:`RULES`
    :param what: what was asked and why that is refused
    :param remedy: what the client can do
    """

    def __init__(self, rule: str, what: str, remedy: str = "") -> None:
        super().__init__(printable(what[:_MAX_TEXT]), hint=printable(remedy[:_MAX_TEXT]))
        self.rule = rule

    @property
    def message(self) -> str:
        """What the client is told: the rule, what is wrong, what to do."""
        return f"{self.rule}: {self.what}" + (f"; {self.hint}" if self.hint else "")


def refuse(rule: str, what: str, remedy: str = "") -> NoReturn:
    """Raise a :class:`Refusal`."""
    raise Refusal(rule, what, remedy)
