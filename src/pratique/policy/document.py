"""The policy document: what a person writes and reads.

YAML, decoded strictly: an unknown key, a wrong type or a contradiction is one :class:`~pratique.errors.PolicyError`
that names the place. The document's order never matters.
"""

import ipaddress
import re
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import Struct

from pratique.detections import RULES
from pratique.errors import PolicyError
from pratique.model import DriftMode, EgressMode, Protocol, Severity
from pratique.policy import strict

MAX_DOCUMENT_BYTES: Final = 4 << 20
MAX_IMAGES: Final = 10_000
MAX_RULES_PER_IMAGE: Final = 10_000
_IMAGE_ID: Final = re.compile(r"sha256:[0-9a-f]{64}")


class Builds(StrEnum):
    """What becomes of builds on this host."""

    DENY = "deny"
    GATE = "gate"
    """Let them run under the egress list of ``unlisted``; the result needs a passing report like any other image."""
    ALLOW = "allow"
    """As ``gate``, and build instructions that make the engine itself fetch (``remote=``) are let through too."""


class Access(StrEnum):
    """Whether an operation of the API is let through."""

    ALLOW = "allow"
    DENY = "deny"


class Inherit(StrEnum):
    """Which images that are not listed inherit the policy of a listed one, when their content says new version."""

    NEVER = "never"
    PULLED = "pulled"
    """Those pulled from the repository that the listed one was pulled from."""
    ANY = "any"
    """However they came; only from entries that enforce their list."""


class Gate(StrEnum):
    """What in a report keeps an image from running. A severity means: a vulnerability at least that bad with a fix."""

    MALWARE = "malware"
    SECRET = "secret"
    MISCONFIGURATION = "misconfiguration"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Detonated(StrEnum):
    """What a run in the sandbox must have shown."""

    CLEAN = "clean"


class Permit(StrEnum):
    """A container setting that is refused unless an image's entry permits it."""

    PRIVILEGED = "privileged"
    HOST_NETWORK = "host-network"
    HOST_PID = "host-pid"
    HOST_IPC = "host-ipc"
    HOST_UTS = "host-uts"
    HOST_USERNS = "host-userns"
    HOST_CGROUPNS = "host-cgroupns"
    HOST_PATHS = "host-paths"
    """Any host path that is not sensitive; sensitive ones need ``sensitive-paths``."""
    SENSITIVE_PATHS = "sensitive-paths"
    ENGINE_SOCKET = "engine-socket"
    DEVICES = "devices"
    CAPABILITIES = "capabilities"
    UNCONFINED = "unconfined"
    """seccomp, AppArmor, SELinux or masked paths switched off."""
    SYSCTLS = "sysctls"
    CGROUP_PARENT = "cgroup-parent"
    DRIVERS = "drivers"
    """An OCI runtime, volume driver or log driver that is not one of the engine's own local ones."""


class Require(Struct, frozen=True, forbid_unknown_fields=True):
    """What an image must have been shown to be, beyond a report that passes."""

    detonated: Detonated | None = None
    """``clean``: it was detonated under this very id, and did nothing bad. It is detonated on demand."""


class Admission(Struct, frozen=True, forbid_unknown_fields=True):
    """Which images may run."""

    fail_on: tuple[Gate, ...] = (Gate.MALWARE,)
    scan_deadline_s: float = 20.0
    """How long a client waits for a scan on demand; then the request is refused and may be repeated."""
    incomplete: Access = Access.DENY
    """An image of which something could not be read."""
    require: Require = Require()
    detonate_for_s: float = 20.0
    """How long an image runs in the sandbox on demand."""
    detonation_deadline_s: float = 30.0
    """How long a client waits for a detonation on demand; then the request is refused and may be repeated."""


class Api(Struct, frozen=True, forbid_unknown_fields=True):
    """Operations of the engine's API that are neither building nor running."""

    exec: Access = Access.ALLOW
    copy_into: Access = Access.ALLOW
    """``docker cp`` into a container; what is copied cannot run where ``drift`` is ``kill``."""
    pull: Access = Access.ALLOW
    load: Access = Access.ALLOW
    """``docker load``, ``import`` from the client and ``commit``; the result needs a passing report to run."""
    swarm: Access = Access.DENY
    plugins: Access = Access.DENY


class Allow(Struct, frozen=True, forbid_unknown_fields=True):
    """One line of an allow-list: a peer that the image may talk to."""

    to: str
    """An address or a CIDR, IPv4 or IPv6."""
    port: int = 0
    """0: any."""
    protocol: Protocol | None = None
    """None: any."""
    note: str = ""


class Unlisted(Struct, frozen=True, forbid_unknown_fields=True):
    """What holds for an image without an entry, for build steps, and for containers without a ticket."""

    egress: EgressMode = EgressMode.ENFORCE
    drift: DriftMode = DriftMode.KILL
    allow: tuple[Allow, ...] = ()
    inherit: Inherit = Inherit.PULLED
    """New versions of listed images."""


class ImagePolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """What holds for one image, whatever its containers are called."""

    name: str
    """For people. Identity is ``ids`` alone: anybody can set a tag."""
    ids: tuple[str, ...]
    """Image ids, ``sha256:<64 hex>``."""
    egress: EgressMode = EgressMode.ENFORCE
    drift: DriftMode = DriftMode.KILL
    allow: tuple[Allow, ...] = ()
    permit: tuple[Permit, ...] = ()
    allow_changed_metadata: bool = False
    """Files of the image whose owner or mode a container changed may still run."""


class Reaction(StrEnum):
    """What is done to a container because of an alert about it."""

    CAPTURE = "capture"
    """Evidence is written below the state directory."""
    QUARANTINE = "quarantine"
    PAUSE = "pause"
    STOP = "stop"
    KILL = "kill"


class Respond(Struct, frozen=True, forbid_unknown_fields=True):
    """One line of what is done without asking."""

    when: str
    """The id of a detection rule, or a severity: whatever is at least that severe."""
    do: tuple[Reaction, ...]
    """In this order."""


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole policy of one host."""

    version: int = 1
    builds: Builds = Builds.DENY
    admission: Admission = Admission()
    api: Api = Api()
    unlisted: Unlisted = Unlisted()
    respond: tuple[Respond, ...] = ()
    images: tuple[ImagePolicy, ...] = ()

    def image(self, image_id: str) -> ImagePolicy | None:
        """Return the entry for an image id, or None."""
        return next((entry for entry in self.images if image_id in entry.ids), None)


def parse(text: bytes, *, name: str = "policy") -> Document:
    """Decode and check a policy document.

    :raises PolicyError: naming the place and the mend
    """
    if len(text) > MAX_DOCUMENT_BYTES:
        msg = f"{name} is larger than {MAX_DOCUMENT_BYTES} bytes"
        raise PolicyError(msg)
    try:
        document = strict.decode(text, Document)
    except ValueError as error:
        msg = f"{name} is not a valid policy: {error}"
        # YAML 1.1 takes 1:20 for a number in base 60, and so many an IPv6 address.
        hint = (
            "put quotes around it" if "Expected `str`, got" in msg else "'pratique policy init' prints a valid example"
        )
        raise PolicyError(msg, hint=hint) from error
    _check(document, name)
    return document


def read(path: Path) -> Document:
    """Read and check the policy document in a file.

    :raises PolicyError: when it cannot be read or is not valid
    """
    return parse(read_text(path), name=str(path))


def read_text(path: Path) -> bytes:
    """Return what is in a file, and no more than one byte over the bound of a policy document.

    :raises PolicyError: when it cannot be read, or is a pipe or a device, which might never end or begin
    """
    try:
        if path.exists() and not path.is_file():
            msg = f"policy {path} is not a file"
            raise PolicyError(msg)
        with path.open("rb") as stream:
            return stream.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        msg = f"policy {path} cannot be read: {error.strerror}"
        raise PolicyError(msg, hint="'pratique policy init -o FILE' writes a first one") from error


def _check(document: Document, name: str) -> None:
    if document.version != 1:
        msg = f"{name} has version {document.version}, but this program knows version 1"
        raise PolicyError(msg)
    if len(document.images) > MAX_IMAGES:
        msg = f"{name} lists {len(document.images)} images, more than {MAX_IMAGES}"
        raise PolicyError(msg)
    for field, least in (("scan_deadline_s", 0.1), ("detonate_for_s", 1), ("detonation_deadline_s", 0.1)):
        seconds = getattr(document.admission, field)
        if not least <= seconds <= 600:
            msg = f"{name}: admission.{field} is {seconds}, not between {least} and 600"
            raise PolicyError(msg)
    _check_allow(document.unlisted.allow, f"{name}: unlisted")
    _check_respond(document.respond, name)
    owner: dict[str, str] = {}
    for entry in document.images:
        where = f"{name}: image {entry.name!r}"
        if not entry.ids:
            msg = f"{where} has no ids"
            raise PolicyError(msg, hint="add the image id that 'docker image inspect -f {{.Id}} NAME' prints")
        for image_id in entry.ids:
            if not _IMAGE_ID.fullmatch(image_id):
                msg = f"{where}: {image_id!r} is not an image id of the form sha256:<64 hex digits>"
                raise PolicyError(msg)
            if image_id in owner:
                msg = f"{where}: {image_id} is listed twice, first by image {owner[image_id]!r}"
                raise PolicyError(msg)
            owner[image_id] = entry.name
        _check_allow(entry.allow, where)


def _check_respond(lines: tuple[Respond, ...], name: str) -> None:
    for line in lines:
        if line.when not in RULES and line.when not in set(Severity):
            msg = f"{name}: respond when {line.when[:80]!r} names neither a detection rule nor a severity"
            raise PolicyError(msg, hint="docs/detections.md lists the rules; a severity is one of low … critical")
        if not line.do:
            msg = f"{name}: respond when {line.when!r} does nothing"
            raise PolicyError(msg, hint="write do: [capture, quarantine], or take the line out")


def _check_allow(rules: tuple[Allow, ...], where: str) -> None:
    if len(rules) > MAX_RULES_PER_IMAGE:
        msg = f"{where} has {len(rules)} allow rules, more than {MAX_RULES_PER_IMAGE}"
        raise PolicyError(msg)
    for rule in rules:
        try:
            network = ipaddress.ip_network(rule.to)
        except ValueError as error:
            msg = f"{where}: allow to {rule.to!r} is not an address or CIDR: {error}"
            raise PolicyError(msg) from error
        if isinstance(network, ipaddress.IPv6Network) and _never_matches(network):
            msg = f"{where}: allow to {rule.to!r} has a zone or is an IPv4 address written as IPv6"
            raise PolicyError(msg, hint="leave out the zone; write an IPv4 address as such")
        if not 0 <= rule.port <= 65535:
            msg = f"{where}: port {rule.port} of the rule to {rule.to} is not between 0 and 65535"
            raise PolicyError(msg)
        if rule.port and rule.protocol is None:
            msg = f"{where}: the rule to {rule.to} has port {rule.port} but no protocol"
            raise PolicyError(msg, hint="write protocol: tcp or protocol: udp")


def _never_matches(network: ipaddress.IPv6Network) -> bool:
    """Tell of a network that no packet has: the kernel sees neither zones nor IPv4 in IPv6's clothes."""
    address = network.network_address
    return address.scope_id is not None or (address.ipv4_mapped is not None and network.prefixlen >= 96)
