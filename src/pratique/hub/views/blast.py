"""How far something reaches: the answer to a question, and its picture."""

from itertools import pairwise
from typing import Annotated, Final

from msgspec import Meta, Struct

from pratique.errors import UsageError
from pratique.hub.desk import Desk
from pratique.hub.layout import arrange
from pratique.inventory import BlastRadius, Exposure, Meaning, Service
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
    return _Picture(answer).draw()


class _Picture:
    """From the left: what is asked for, the images that carry it, their services, and who needs those."""

    def __init__(self, answer: BlastRadius) -> None:
        self._answer = answer
        self._rooted = answer.meaning is not Meaning.IMAGE
        """Otherwise the image itself is what is asked for."""
        self._nodes: dict[str, tuple[str, str, str, str]] = {}
        self._edges: dict[tuple[str, str], str] = {}

    def draw(self) -> Graph:
        if self._rooted:
            kind = self._answer.meaning.value if self._answer.meaning else _ROOT
            self._nodes[_ROOT] = (self._answer.question, kind, "bad", "")
        self._add_images()
        self._add_services()
        self._add_dependants()
        places = arrange(sorted(self._nodes), list(self._edges), {})
        return Graph(
            nodes=tuple(
                GraphNode(key, label, kind, state, *places[key], href)
                for key, (label, kind, state, href) in sorted(self._nodes.items())
            ),
            edges=tuple(
                GraphEdge(f"{source} {target}", source, target, label)
                for (source, target), label in sorted(self._edges.items())
            ),
        )

    def _add_images(self) -> None:
        for image in self._answer.images[:_MAX_IMAGES]:
            digits = image.id.removeprefix("sha256:")[:12]
            self._nodes[image.id] = (image.name, "image", "bad", f"/images/{digits}")
            if self._rooted:
                self._edges[_ROOT, image.id] = ", ".join(sorted({one.what for one in image.carried})[:2])

    def _add_services(self) -> None:
        shown = {_key(one.service): one for one in self._answer.services[:_MAX_SERVICES]}
        for key, service in shown.items():
            state = "exposed" if service.exposure is Exposure.PUBLISHED else "bad"
            self._nodes[key] = (service.service.name, "service", state, "")
        linked = set()
        for container in self._answer.containers:
            key = _key(container.service)
            if container.image in self._nodes and key in shown:
                self._edges[container.image, key] = ""
                linked.add(key)
        if self._rooted:  # services whose containers are not among the listed ones
            self._edges.update({(_ROOT, key): "" for key in shown if key not in linked})

    def _add_dependants(self) -> None:
        for dependant in self._answer.dependants[:_MAX_SERVICES]:
            path = dependant.path[::-1]
            for needed, needing in pairwise(path):
                for one in (needed, needing):
                    self._nodes.setdefault(_key(one), (one.name, "service", "ok", ""))
                self._edges.setdefault((_key(needed), _key(needing)), "needed by")


def _key(service: Service) -> str:
    return f"{service.kind.value}:{service.name}"
