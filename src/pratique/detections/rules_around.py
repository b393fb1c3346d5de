"""The rules over what is done to containers, images and the host."""

from typing import Final

from pratique.detections import techniques as t
from pratique.detections.rule import Rule, rule
from pratique.model import Severity

AROUND: Final[tuple[Rule, ...]] = (
    rule(
        "api.build",
        Severity.CRITICAL,
        "An image build on this host was refused",
        "An image built here was in no registry and was seen by no scanner.",
        t.BUILD_ON_HOST,
    ),
    rule(
        "api.build-allowed",
        Severity.MEDIUM,
        "An image was built on this host",
        "The policy lets builds run; what comes out needs a passing report like any other image.",
        t.BUILD_ON_HOST,
    ),
    rule(
        "api.settings",
        Severity.CRITICAL,
        "A container with forbidden settings was refused",
        "The setting hands the host to the container.",
        t.DEPLOY_CONTAINER,
        t.ESCAPE,
    ),
    rule(
        "api.unadmitted",
        Severity.HIGH,
        "A container of an image without a passing report was refused",
        "Whatever way an image came here, it runs only when it was shown to be healthy.",
        t.DEPLOY_CONTAINER,
    ),
    rule(
        "api.unhealthy-image",
        Severity.CRITICAL,
        "A container of an image with a failing report was refused",
        "What was found in the image keeps it from running.",
        t.DEPLOY_CONTAINER,
        t.IMPLANT_IMAGE,
    ),
    rule(
        "api.image",
        Severity.MEDIUM,
        "Bringing an image to this host was refused",
        "The policy says that images come another way.",
        t.IMPLANT_IMAGE,
    ),
    rule(
        "api.exec",
        Severity.HIGH,
        "A command in a container was refused",
        "Exec over the API is how an intruder enters a container that is running already.",
        t.ADMINISTRATION_COMMAND,
    ),
    rule(
        "api.copy",
        Severity.HIGH,
        "Copying files into a container was refused",
        "It is how tools are brought into a container that is running already.",
        t.TOOL_TRANSFER,
    ),
    rule(
        "api.orchestration",
        Severity.HIGH,
        "A swarm or plugin request was refused",
        "Swarm services and engine plugins run code without asking for a container.",
        t.DEPLOY_CONTAINER,
        t.ESCAPE,
    ),
    rule(
        "api.request",
        Severity.MEDIUM,
        "A request that cannot be judged was refused",
        "Requests of odd form are how guards are walked around.",
        t.EXPLOIT_PUBLIC,
    ),
    rule(
        "guard.undecided",
        Severity.MEDIUM,
        "The guard could not decide and refused",
        "It failed, ran out of time or was busy; an attacker may be the cause.",
    ),
    rule(
        "container.intruder",
        Severity.CRITICAL,
        "A container runs that the guard never admitted",
        "It was started past the API, or while the guard was away.",
        t.DEPLOY_CONTAINER,
    ),
    rule(
        "image.malware",
        Severity.CRITICAL,
        "An image on this host holds malware",
        "The scan recognised it; whoever starts the image runs it.",
        t.IMPLANT_IMAGE,
    ),
    rule(
        "image.behaviour",
        Severity.CRITICAL,
        "An image on this host did bad things in the sandbox",
        "Whatever a scan finds in it: it does them again wherever it is started.",
        t.IMPLANT_IMAGE,
    ),
    rule(
        "image.condemned",
        Severity.CRITICAL,
        "A condemned image is on this host",
        "A person, the scan or the sandbox condemned it.",
        t.IMPLANT_IMAGE,
    ),
    rule(
        "image.kin",
        Severity.CRITICAL,
        "An image on this host is kin of a condemned one",
        "It holds most of what is the condemned image's own: a re-built copy under new ids.",
        t.IMPLANT_IMAGE,
        t.BUILD_ON_HOST,
    ),
    rule(
        "api.condemned-image",
        Severity.CRITICAL,
        "A container of a condemned image, or of its kin, was refused",
        "Whoever was stopped once tries again with a copy.",
        t.DEPLOY_CONTAINER,
        t.IMPLANT_IMAGE,
        t.BUILD_ON_HOST,
    ),
    rule(
        "host.api-exposed",
        Severity.CRITICAL,
        "The engine's API can be reached without a certificate",
        "Whoever reaches it is root on this host.",
        t.REMOTE_SERVICES,
    ),
)
