"""Alerts about what is there, as opposed to what happens. Pure."""

from collections.abc import Iterable

from pratique.detections.subject import Subject, raise_alert
from pratique.model import Action, Alert, Behaviour, Container, Detonation, FindingKind, Report

MAX_NAMED = 10


def image_found(report: Report, at: float) -> list[Alert]:
    """Return the alert about malware in an image of this host."""
    malware = [finding for finding in report.findings if finding.kind is FindingKind.MALWARE]
    if not malware:
        return []
    subject = Subject(image=report.image.id, image_name=report.image.name)
    evidence = {
        "found": ", ".join(sorted({finding.rule for finding in malware})[:MAX_NAMED]),
        "files": ", ".join([finding.path for finding in malware if finding.path][:MAX_NAMED]),
        "count": str(len(malware)),
    }
    return [raise_alert("image.malware", at, subject, Action.ALERTED, about=report.image.id, evidence=evidence)]


def image_behaved(detonation: Detonation, at: float) -> list[Alert]:
    """Return the alert about an image of this host that did bad things in the sandbox."""
    if detonation.verdict is not Behaviour.BAD:
        return []
    subject = Subject(image=detonation.image.id, image_name=detonation.image.name)
    evidence = {
        "reason": detonation.reason,
        "found": ", ".join(dict.fromkeys(finding.rule for finding in detonation.findings[:MAX_NAMED])),
        "command": " ".join(detonation.command),
    }
    about = detonation.image.id
    return [raise_alert("image.behaviour", at, subject, Action.ALERTED, about=about, evidence=evidence)]


def intruder(container: Container, at: float, *, image_name: str = "") -> Alert:
    """Return the alert about a running container that the guard never admitted."""
    subject = Subject(
        image=container.image,
        image_name=image_name or container.image_reference,
        container=container.id,
        container_name=container.name,
    )
    evidence = {
        "addresses": ", ".join(container.addresses[:MAX_NAMED]),
        "mounts": ", ".join([f"{mount.source}:{mount.destination}" for mount in container.mounts][:MAX_NAMED]),
    }
    return raise_alert("container.intruder", at, subject, Action.ALERTED, about=container.id, evidence=evidence)


def posture(endpoints: Iterable[str], at: float) -> list[Alert]:
    """Return an alert for each address where the engine's API listens without asking for a client certificate.

    :param endpoints: such addresses, as in ``tcp://0.0.0.0:2375``
    """
    host = Subject()
    return [
        raise_alert("host.api-exposed", at, host, Action.ALERTED, about=endpoint, evidence={"endpoint": endpoint})
        for endpoint in sorted(set(endpoints))
    ]
