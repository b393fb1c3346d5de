"""The policy for a host that has none yet. Pure."""

from collections.abc import Mapping, Sequence

from pratique.model import Container, DriftMode, EgressMode, ImageId, ImageIdentity, Report
from pratique.policy.decide import judge_report
from pratique.policy.document import Document, ImagePolicy


def first_policy(
    images: Sequence[ImageIdentity], containers: Sequence[Container], reports: Mapping[ImageId, Report]
) -> Document:
    """Let what runs here now go on and be learnt; whatever comes later may talk to nobody and run nothing of its own.

    Images of running containers with a passing report are listed with ``egress: learn`` and ``drift: alert``.
    An image that failed its scan is not listed, and so falls under the strict rules for the unlisted.
    """
    document = Document()
    running = {container.image for container in containers if container.running}
    entries = [
        ImagePolicy(name=image.name, ids=(image.id,), egress=EgressMode.LEARN, drift=DriftMode.ALERT)
        for image in images
        if image.id in running and image.id in reports and not judge_report(reports[image.id], document.admission)
    ]
    return Document(images=tuple(sorted(entries, key=lambda entry: (entry.name, entry.ids))))
