"""All endpoints, and the pages that show them."""

from typing import Final

from msgspec import Struct

from pratique.hub.endpoint import Endpoint
from pratique.hub.sessions import Role
from pratique.hub.views import alerts, blast, containers, flows, images, overview, policy, respond, service_map
from pratique.hub.views.asks import Nothing
from pratique.store import ChainCheck

ENDPOINTS: Final[dict[str, Endpoint]] = {
    "overview": Endpoint(
        "GET", "/overview", "How the host stands, and what was stopped",
        overview.OverviewAsk, overview.Overview, overview.overview,
    ),
    "images": Endpoint("GET", "/images", "Images", images.ImagesAsk, images.ImageList, images.images),
    "image": Endpoint("GET", "/images/{id}", "One image", images.ImageAsk, images.ImageDetail, images.image),
    "containers": Endpoint(
        "GET", "/containers", "Containers",
        containers.ContainersAsk, containers.ContainerList, containers.containers,
    ),
    "container": Endpoint(
        "GET", "/containers/{id}", "One container and what it did",
        containers.ContainerAsk, containers.ContainerDetail, containers.container,
    ),
    "alerts": Endpoint("GET", "/alerts", "Alerts", alerts.AlertsAsk, alerts.AlertList, alerts.alerts),
    "alert": Endpoint("GET", "/alerts/{id}", "One alert", alerts.AlertAsk, alerts.AlertDetail, alerts.alert),
    "flows": Endpoint("GET", "/flows", "Who talked to whom", flows.FlowsAsk, flows.FlowList, flows.flows),
    "decisions": Endpoint(
        "GET", "/decisions", "What the guard and people decided",
        flows.DecisionsAsk, flows.DecisionList, flows.decisions,
    ),
    "decisions-check": Endpoint(
        "GET", "/decisions/check", "Check the hash chain of the decisions",
        Nothing, ChainCheck, flows.check_chain,
    ),
    "map": Endpoint(
        "GET", "/services/map", "Who talks to whom",
        service_map.MapAsk, service_map.Map, service_map.service_map,
    ),
    "edge": Endpoint(
        "GET", "/services/edge", "One edge of the map, and the rules behind it",
        service_map.EdgeAsk, service_map.EdgeDetail, service_map.edge,
    ),
    "blast": Endpoint(
        "GET", "/blast", "How far something reaches: who carries it, and who depends on them",
        blast.BlastAsk, blast.BlastView, blast.blast,
    ),
    "blast-graph": Endpoint(
        "GET", "/blast/graph", "The same as a picture",
        blast.BlastAsk, blast.Graph, blast.graph,
    ),
    "policy": Endpoint("GET", "/policy", "The policy file", Nothing, policy.PolicyView, policy.policy),
    "proposals": Endpoint(
        "GET", "/policy/proposals", "What could be added to the allow-lists, with the evidence",
        policy.ProposalsAsk, policy.ProposalList, policy.proposals,
    ),
    "allow": Endpoint(
        "POST", "/policy/allow", "Add rules to an image's allow-list",
        policy.AllowAsk, policy.Done, policy.allow, Role.OPERATOR,
    ),
    "refuse": Endpoint(
        "POST", "/policy/refuse", "Go on refusing: no longer propose these rules",
        policy.RefuseAsk, policy.Done, policy.refuse, Role.OPERATOR,
    ),
    "quarantine": Endpoint(
        "POST", "/containers/{id}/quarantine", "Cut off all traffic of a container",
        respond.QuarantineAsk, policy.Done, respond.quarantine_container, Role.OPERATOR,
    ),
    "release": Endpoint(
        "POST", "/containers/{id}/release", "End the quarantine of a container",
        respond.ReleaseAsk, policy.Done, respond.release_container, Role.OPERATOR,
    ),
}  # fmt: skip


class Page(Struct, frozen=True):
    """A page: what it asks, and the template that shows the answer."""

    path: str
    endpoint: str
    template: str
    place: str
    """The entry of the navigation that it belongs to."""


PAGES: Final = (
    Page("/", "overview", "overview.html", "overview"),
    Page("/images", "images", "images.html", "images"),
    Page("/images/{id}", "image", "image.html", "images"),
    Page("/containers", "containers", "containers.html", "containers"),
    Page("/containers/{id}", "container", "container.html", "containers"),
    Page("/alerts", "alerts", "alerts.html", "alerts"),
    Page("/alerts/{id}", "alert", "alert.html", "alerts"),
    Page("/flows", "flows", "flows.html", "map"),
    Page("/map", "map", "map.html", "map"),
    Page("/map/edge", "edge", "edge.html", "map"),
    Page("/blast", "blast", "blast.html", "blast"),
    Page("/review", "proposals", "review.html", "review"),
    Page("/policy", "policy", "policy.html", "review"),
    Page("/decisions", "decisions", "decisions.html", "decisions"),
    Page("/decisions/check", "decisions-check", "chain.html", "decisions"),
)


class Action(Struct, frozen=True):
    """A form of a page: what it changes, and where the browser goes then."""

    path: str
    endpoint: str
    then: str
    """A path; what is in braces is taken from what was asked."""


ACTIONS: Final = (
    Action("/policy/allow", "allow", "/review"),
    Action("/policy/refuse", "refuse", "/review"),
    Action("/containers/{id}/quarantine", "quarantine", "/containers/{id}"),
    Action("/containers/{id}/release", "release", "/containers/{id}"),
)
