"""How far something reaches: the answer to a question, and its picture."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from pratique.errors import UsageError
from pratique.hub.desk import Desk
from pratique.hub.layout import arrange
from pratique.inventory import BlastRadius, Exposure, Service
from pratique.pipelines.blast import blast_radius

_MAX_IMAGES: Final = 16
_MAX_SERVICES: Final = 40
_KEPT_S: Final = 5.0
_ROOT: Final = "question"


class BlastAsk(Struct, frozen=True):
    """A question: a vulnerability, a package with or without a version, a file's SHA-256, an image, a container."""

    q: Annotated[str, Meta(max_length=300)] = ""


class BlastView(Struct, frozen=True):
    """The answer."""

    answer: BlastRadius | None
    """None: nothing was asked, or what was asked can have no answer."""
    problem: str
    """Why there is no answer; empty when there is one."""
    hint: str = ""


class GraphNode(Struct, frozen=True, omit_defaults=True):
    """Something in the picture."""

    id: str
    label: str
    kind: str
    """``vulnerability``, ``package``, ``file``, ``image``, ``container``, ``service``."""
    state: str
    """``bad``: it carries it; ``exposed``: and other machines can reach it; ``ok``: it needs one that carries it."""
    x: float
    y: float
    href: str = ""


class GraphEdge(Struct, frozen=True):
    """From what is asked for over images to services, and from these to who needs them."""

    id: str
    source: str
    target: str
    label: str
    allowed: int = 1
    refused: int = 0


class Graph(Struct, frozen=True):
    """The picture of an answer; the lists say the same and more."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]


def blast(desk: Desk, ask: BlastAsk) -> BlastView:
    """Answer a question."""
    if not ask.q.strip():
        return BlastView(None, "")
    try:
        answer = desk.memory.within(
            _KEPT_S, ("blast", ask.q), lambda: blast_radius(desk.store, ask.q, advisories=desk.advisories_path)
        )
    except UsageError as error:
        return BlastView(None, error.what, error.hint)
    return BlastView(answer, "")


def graph(desk: Desk, ask: BlastAsk) -> Graph:
    """Draw the answer to a question."""
    answer = blast(desk, ask).answer
    if answer is None or not answer.found:
        return Graph((), ())
    labels: dict[str, tuple[str, str, str, str]] = {}
    edges: dict[tuple[str, str], str] = {}
    kind = answer.meaning.value if answer.meaning else _ROOT
    labels[_ROOT] = (answer.question, kind, "bad", "")
    for image in answer.images[:_MAX_IMAGES]:
        digits = image.id.removeprefix("sha256:")[:12]
        labels[image.id] = (image.name, "image", "bad", f"/images/{digits}")
        edges[_ROOT, image.id] = ", ".join(sorted({one.what for one in image.carried})[:2])
    shown = {_key(one.service): one for one in answer.services[:_MAX_SERVICES]}
    for key, service in shown.items():
        state = "exposed" if service.exposure is Exposure.PUBLISHED else "bad"
        labels[key] = (service.service.name, "service", state, "")
    for container in answer.containers:
        if container.image in labels and _key(container.service) in shown:
            edges[container.image, _key(container.service)] = ""
    linked = {target for _, target in edges}
    edges.update({(_ROOT, key): "" for key in shown if key not in linked})  # its containers are not among the listed
    for dependant in answer.dependants[:_MAX_SERVICES]:
        for needed, needing in zip(dependant.path[:0:-1], dependant.path[-2::-1], strict=True):
            for one in (needed, needing):
                labels.setdefault(_key(one), (one.name, "service", "ok", ""))
            edges.setdefault((_key(needed), _key(needing)), "needed by")
    places = arrange(sorted(labels), list(edges), {})
    return Graph(
        nodes=tuple(
            GraphNode(key, label, kind, state, *places[key], href)
            for key, (label, kind, state, href) in sorted(labels.items())
        ),
        edges=tuple(
            GraphEdge(f"{source} {target}", source, target, label) for (source, target), label in sorted(edges.items())
        ),
    )


def _key(service: Service) -> str:
    return f"{service.kind.value}:{service.name}"
