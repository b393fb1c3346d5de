"""Every rule, in one table: what it is called, how bad it is, what the attacker is doing, and why we say so."""

from typing import Final

from msgspec import Struct

from pratique.detections import techniques as t
from pratique.model import Severity, Technique


class Rule(Struct, frozen=True):
    """One rule. The id is stable: people search for it, and ``docs/detections.md`` lists it."""

    id: str
    severity: Severity
    title: str
    techniques: tuple[Technique, ...]
    why: str
    condemns: bool = False
    """Seen in the sandbox, it alone makes the image a bad one: nobody honest does it. What an honest image may well do
    is told and leaves the verdict alone."""


def _rule(
    rule_id: str, severity: Severity, title: str, why: str, *techniques: Technique, condemns: bool = False
) -> Rule:
    return Rule(rule_id, severity, title, techniques, why, condemns)


RULES: Final[dict[str, Rule]] = {
    rule.id: rule
    for rule in (
        _rule(
            "exec.drift",
            Severity.CRITICAL,
            "A program that is not in the image was executed",
            "Everything that an honest container runs is in its image; an intruder brings his own tools.",
            t.TOOL_TRANSFER,
            condemns=True,
        ),
        _rule(
            "exec.modified",
            Severity.CRITICAL,
            "A program of the image was executed after it had been changed",
            "A program is replaced to keep access or to hide behind a known name.",
            t.COMPROMISE_BINARY,
            condemns=True,
        ),
        _rule(
            "exec.touched",
            Severity.MEDIUM,
            "A program of the image was executed after its owner or mode had been changed",
            "Size and time of change are still the image's, but those can be forged.",
            t.COMPROMISE_BINARY,
        ),
        _rule(
            "exec.library",
            Severity.HIGH,
            "Code that is not in the image was loaded into a process",
            "A library brought in and preloaded runs inside an honest process.",
            t.EXECUTION_HIJACK,
            t.TOOL_TRANSFER,
            condemns=True,
        ),
        _rule(
            "exec.fileless",
            Severity.CRITICAL,
            "A program was executed from memory, without a file",
            "Nothing but an attempt to leave no trace does this inside a container.",
            t.REFLECTIVE_LOADING,
            condemns=True,
        ),
        _rule(
            "exec.volume",
            Severity.HIGH,
            "A program on a writable volume or tmpfs was executed",
            "Volumes and /dev/shm are where tools are put when the image cannot be written.",
            t.TOOL_TRANSFER,
            condemns=True,
        ),
        _rule(
            "exec.miner",
            Severity.CRITICAL,
            "A cryptocurrency miner was started",
            "Its name or its arguments are those of a miner.",
            t.COMPUTE_HIJACKING,
            condemns=True,
        ),
        _rule(
            "exec.reverse-shell",
            Severity.CRITICAL,
            "A shell was connected to the network",
            "The command line ties a shell's input and output to a remote peer.",
            t.UNIX_SHELL,
            condemns=True,
        ),
        _rule(
            "exec.piped-download",
            Severity.HIGH,
            "A download was piped into a shell",
            "The first step of most attacks on the Docker API: fetch a script and run it unseen.",
            t.TOOL_TRANSFER,
            t.UNIX_SHELL,
            condemns=True,
        ),
        _rule(
            "exec.package-manager",
            Severity.LOW,
            "Software was installed in a running container",
            "What a container needs belongs in its image; attackers install compilers and scanners.",
            t.TOOL_TRANSFER,
        ),
        _rule(
            "exec.built",
            Severity.LOW,
            "A program that this very run had linked or installed was executed",
            "Compilers and package managers make programs; what they are made of was in the image.",
            t.COMPILED_AFTER_DELIVERY,
        ),
        _rule(
            "exec.decoded",
            Severity.HIGH,
            "Encoded text was unpacked into a shell",
            "Whoever wraps his script in base64 or gzip does not want it to be read.",
            t.DECODE,
            t.OBFUSCATED,
            t.UNIX_SHELL,
            condemns=True,
        ),
        _rule(
            "exec.escape",
            Severity.CRITICAL,
            "A command that leads out of the container was run",
            "It enters the host's namespaces or files, or has the host's kernel run something.",
            t.ESCAPE,
            condemns=True,
        ),
        _rule(
            "exec.covers-tracks",
            Severity.HIGH,
            "Logs or the shell's history were wiped",
            "Whoever wipes the record of what he does has done something.",
            t.CLEAR_HISTORY,
            t.CLEAR_LOGS,
            condemns=True,
        ),
        _rule(
            "file.cron",
            Severity.HIGH,
            "A cron job was written",
            "It is how an intruder comes back; nothing in the container runs cron, so it is meant for a host.",
            t.CRON,
            condemns=True,
        ),
        _rule(
            "file.ssh-key",
            Severity.HIGH,
            "A list of authorized SSH keys was written",
            "A key in it lets its owner in from then on.",
            t.SSH_KEYS,
            condemns=True,
        ),
        _rule(
            "file.preload",
            Severity.CRITICAL,
            "The linker's list of preloaded libraries was written",
            "What it names is loaded into every program: rootkits hide miners with it.",
            t.LINKER_HIJACK,
            condemns=True,
        ),
        _rule(
            "file.account",
            Severity.MEDIUM,
            "The list of accounts was changed",
            "Intruders add users with rights; so do entrypoints that take a user id as a setting.",
            t.LOCAL_ACCOUNT,
        ),
        _rule(
            "bait.read",
            Severity.MEDIUM,
            "A planted secret was read",
            "Nothing needs it that the image does not own; a backup or a client of a cloud may read it all the same.",
            t.CREDENTIALS_IN_FILES,
        ),
        _rule(
            "bait.sent",
            Severity.CRITICAL,
            "A planted secret was read, and then data were sent out",
            "Secrets are stolen for what can be reached with them.",
            t.EXFILTRATION_C2,
            t.CREDENTIALS_IN_FILES,
            condemns=True,
        ),
        _rule(
            "bait.engine-socket",
            Severity.CRITICAL,
            "The engine's socket was called",
            "Whoever speaks to the engine is root on its host.",
            t.DEPLOY_CONTAINER,
            t.ESCAPE,
            condemns=True,
        ),
        _rule(
            "kernel.escape",
            Severity.CRITICAL,
            "A way out of the container was asked of the kernel",
            "Mounts, foreign namespaces, kernel modules and the kernel's helper programs lead to the host.",
            t.ESCAPE,
            condemns=True,
        ),
        _rule(
            "kernel.call",
            Severity.LOW,
            "A system call was tried that containers have no business with",
            "Some programs try it and go on without; exploits of the kernel need it.",
            t.ESCAPE,
        ),
        _rule(
            "net.packet-socket",
            Severity.CRITICAL,
            "A socket below IP was asked for",
            "Packet sockets read the neighbours' traffic and send past every rule for IP.",
            t.SNIFFING,
            t.EXFILTRATION_ALTERNATIVE,
            condemns=True,
        ),
        _rule(
            "net.egress",
            Severity.HIGH,
            "Traffic to a peer that is not on the image's allow-list",
            "A new peer is where an intruder's commands come from and where data go to.",
            t.EXFILTRATION_C2,
            t.EXFILTRATION_ALTERNATIVE,
        ),
        _rule(
            "net.scan",
            Severity.HIGH,
            "The neighbourhood was scanned",
            "Many addresses or ports of one network in a short time: the next victim is being looked for.",
            t.NETWORK_DISCOVERY,
            condemns=True,
        ),
        _rule(
            "net.miner-protocol",
            Severity.CRITICAL,
            "A mining pool's protocol was spoken",
            "The first bytes are the greeting of Stratum, which nothing but miners speaks.",
            t.COMPUTE_HIJACKING,
            condemns=True,
        ),
        _rule(
            "net.miner-pool",
            Severity.CRITICAL,
            "The name of a mining pool was asked for",
            "The name belongs to a mining pool.",
            t.COMPUTE_HIJACKING,
            condemns=True,
        ),
        _rule(
            "net.miner-port",
            Severity.MEDIUM,
            "Traffic to a port of mining pools that is not on the allow-list",
            "The port is used by mining pools and by hardly anything else.",
            t.COMPUTE_HIJACKING,
        ),
        _rule(
            "net.dns-tunnel",
            Severity.HIGH,
            "Data were sent out in the names of DNS questions",
            "Names that are long, all different and below one domain are a message to whoever owns the domain.",
            t.DNS_C2,
            t.EXFILTRATION_ALTERNATIVE,
            condemns=True,
        ),
        _rule(
            "net.metadata",
            Severity.MEDIUM,
            "The cloud's metadata service was asked",
            "It hands out the machine's credentials; a client of the cloud asks it, and so does an intruder.",
            t.INSTANCE_METADATA,
        ),
        _rule(
            "run.mining",
            Severity.CRITICAL,
            "The processor was at its limit all the time, and a mining pool's port was talked to",
            "Each alone is honest; both together are what a miner looks like whatever it is called.",
            t.COMPUTE_HIJACKING,
            condemns=True,
        ),
        _rule(
            "run.sleeper",
            Severity.HIGH,
            "It slept long before it did what it is condemned for",
            "Malware waits until nobody looks any more.",
            t.TIME_EVASION,
        ),
        _rule(
            "api.build",
            Severity.CRITICAL,
            "An image build on this host was refused",
            "An image built here was in no registry and was seen by no scanner.",
            t.BUILD_ON_HOST,
        ),
        _rule(
            "api.build-allowed",
            Severity.MEDIUM,
            "An image was built on this host",
            "The policy lets builds run; what comes out needs a passing report like any other image.",
            t.BUILD_ON_HOST,
        ),
        _rule(
            "api.settings",
            Severity.CRITICAL,
            "A container with forbidden settings was refused",
            "The setting hands the host to the container.",
            t.DEPLOY_CONTAINER,
            t.ESCAPE,
        ),
        _rule(
            "api.unadmitted",
            Severity.HIGH,
            "A container of an image without a passing report was refused",
            "Whatever way an image came here, it runs only when it was shown to be healthy.",
            t.DEPLOY_CONTAINER,
        ),
        _rule(
            "api.unhealthy-image",
            Severity.CRITICAL,
            "A container of an image with a failing report was refused",
            "What was found in the image keeps it from running.",
            t.DEPLOY_CONTAINER,
            t.IMPLANT_IMAGE,
        ),
        _rule(
            "api.image",
            Severity.MEDIUM,
            "Bringing an image to this host was refused",
            "The policy says that images come another way.",
            t.IMPLANT_IMAGE,
        ),
        _rule(
            "api.exec",
            Severity.HIGH,
            "A command in a container was refused",
            "Exec over the API is how an intruder enters a container that is running already.",
            t.ADMINISTRATION_COMMAND,
        ),
        _rule(
            "api.copy",
            Severity.HIGH,
            "Copying files into a container was refused",
            "It is how tools are brought into a container that is running already.",
            t.TOOL_TRANSFER,
        ),
        _rule(
            "api.orchestration",
            Severity.HIGH,
            "A swarm or plugin request was refused",
            "Swarm services and engine plugins run code without asking for a container.",
            t.DEPLOY_CONTAINER,
            t.ESCAPE,
        ),
        _rule(
            "api.request",
            Severity.MEDIUM,
            "A request that cannot be judged was refused",
            "Requests of odd form are how guards are walked around.",
            t.EXPLOIT_PUBLIC,
        ),
        _rule(
            "guard.undecided",
            Severity.MEDIUM,
            "The guard could not decide and refused",
            "It failed, ran out of time or was busy; an attacker may be the cause.",
        ),
        _rule(
            "container.intruder",
            Severity.CRITICAL,
            "A container runs that the guard never admitted",
            "It was started past the API, or while the guard was away.",
            t.DEPLOY_CONTAINER,
        ),
        _rule(
            "image.malware",
            Severity.CRITICAL,
            "An image on this host holds malware",
            "The scan recognised it; whoever starts the image runs it.",
            t.IMPLANT_IMAGE,
        ),
        _rule(
            "image.behaviour",
            Severity.CRITICAL,
            "An image on this host did bad things in the sandbox",
            "Whatever a scan finds in it: it does them again wherever it is started.",
            t.IMPLANT_IMAGE,
        ),
        _rule(
            "image.condemned",
            Severity.CRITICAL,
            "A condemned image is on this host",
            "A person, the scan or the sandbox condemned it.",
            t.IMPLANT_IMAGE,
        ),
        _rule(
            "image.kin",
            Severity.CRITICAL,
            "An image on this host is kin of a condemned one",
            "It holds most of what is the condemned image's own: a re-built copy under new ids.",
            t.IMPLANT_IMAGE,
            t.BUILD_ON_HOST,
        ),
        _rule(
            "api.condemned-image",
            Severity.CRITICAL,
            "A container of a condemned image, or of its kin, was refused",
            "Whoever was stopped once tries again with a copy.",
            t.DEPLOY_CONTAINER,
            t.IMPLANT_IMAGE,
            t.BUILD_ON_HOST,
        ),
        _rule(
            "host.api-exposed",
            Severity.CRITICAL,
            "The engine's API can be reached without a certificate",
            "Whoever reaches it is root on this host.",
            t.REMOTE_SERVICES,
        ),
    )
}
