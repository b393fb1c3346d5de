"""The answer to a question: who carries it, since when, through what, and who depends on them."""

from typing import Final

from msgspec import Struct

from pratique.inventory.graph import ServiceEdge
from pratique.inventory.question import Meaning
from pratique.inventory.risk import EXPLANATION, Exposure, Loaded, Risk, Threat
from pratique.inventory.service import Service

BLAST_VERSION: Final = 1


class Carried(Struct, frozen=True):
    """What an image carries of what is asked for."""

    what: str
    """``libssl3 3.0.9-1``, or the path of a file."""
    layer: str = ""
    """Diff id of the layer that brought it, or ``""`` when it is not known."""
    position: int = -1
    """Of that layer; 0 is the base."""
    path: str = ""
    """The file that says so."""
    rule: str = ""
    """The vulnerability, and the version without it."""
    fixed: str = ""


class AffectedImage(Struct, frozen=True):
    """An image that carries it."""

    id: str
    name: str
    threat: Threat
    containers: int
    carried: tuple[Carried, ...] = ()


class AffectedContainer(Struct, frozen=True):
    """A container that carries it and is not gone."""

    id: str
    name: str
    host: str
    service: Service
    image: str
    image_name: str
    since: float
    """When the container was first seen."""
    running: bool
    exposure: Exposure
    loaded: Loaded
    risk: Risk


class AffectedService(Struct, frozen=True):
    """A service with containers that carry it."""

    service: Service
    containers: int
    running: int
    exposed: int
    """How many of the containers other machines can reach."""
    images: int
    since: float
    """When the first container of such an image was seen in it."""
    threat: Threat
    exposure: Exposure
    through: tuple[Service, ...]
    """A shortest way from a service that other machines can reach, both ends included."""
    direct: tuple[Service, ...]
    """Who needs it."""
    dependants: int
    """How many services need it, directly or over others."""
    loaded: Loaded
    risk: Risk


class Dependant(Struct, frozen=True):
    """A service that needs an affected one and is not affected itself."""

    service: Service
    path: tuple[Service, ...]
    """A shortest way, from it to an affected service; two: it needs it directly."""


class Totals(Struct, frozen=True):
    """Of everything, also of what is not listed."""

    images: int = 0
    """That carry it, used or not."""
    containers: int = 0
    running: int = 0
    exposed: int = 0
    services: int = 0
    dependants: int = 0


class Unknown(Struct, frozen=True):
    """What nobody can tell because nobody looked."""

    images: int = 0
    containers: int = 0
    """Of these images, that are not gone."""


class BlastRadius(Struct, frozen=True):
    """One versioned document for each question; every format renders only this."""

    question: str
    meaning: Meaning | None
    """None: nothing has that name."""
    at: float
    threat: Threat
    names: tuple[str, ...]
    """What was found under the name: the vulnerability's names, the packages with their versions, the image's id."""
    totals: Totals
    not_scanned: Unknown
    images: tuple[AffectedImage, ...] = ()
    containers: tuple[AffectedContainer, ...] = ()
    services: tuple[AffectedService, ...] = ()
    dependants: tuple[Dependant, ...] = ()
    edges: tuple[ServiceEdge, ...] = ()
    """Between the services listed."""
    explanation: str = EXPLANATION
    version: int = BLAST_VERSION

    @property
    def found(self) -> bool:
        """Whether anything carries it."""
        return bool(self.totals.images or self.totals.containers)
