"""Alerts about images that are condemned, or kin of condemned ones. Pure."""

from collections.abc import Iterable, Mapping

import msgspec

from pratique.detections.subject import Subject, raise_alert
from pratique.model import Action, Alert, Container, ImageIdentity


def image_condemned(image: ImageIdentity, condemned: str, at: float, containers: Iterable[Container]) -> list[Alert]:
    """Return the alerts about an image that is condemned itself, and about each container that runs it.

    :param condemned: why it is
    """
    return _about_family("image.condemned", image, {"reason": condemned}, at, containers)


def image_kin(image: ImageIdentity, kin: Mapping[str, str], at: float, containers: Iterable[Container]) -> list[Alert]:
    """Return the alerts about an image that is kin of a condemned one, and about each container that runs it.

    :param kin: the evidence: of which one, by how much, and why that one was condemned
    """
    return _about_family("image.kin", image, kin, at, containers)


def _about_family(
    rule: str, image: ImageIdentity, evidence: Mapping[str, str], at: float, containers: Iterable[Container]
) -> list[Alert]:
    subject = Subject(image=image.id, image_name=image.name)
    running = [
        msgspec.structs.replace(subject, container=container.id, container_name=container.name, admitted=True)
        for container in containers
        if container.running
    ]
    return [
        raise_alert(rule, at, one, Action.ALERTED, about=image.id, evidence=dict(evidence))
        for one in (subject, *running)
    ]
