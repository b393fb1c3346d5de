"""Judges one request that needs no facts, and says which ones need some. Pure.

A judge returns when the request may go on and raises :class:`~pratique.guard.refusal.Refusal` when it may not.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from pratique.guard import gojson
from pratique.guard.container import mounts_something
from pratique.guard.refusal import refuse
from pratique.guard.request import ApiRequest
from pratique.guard.routes import Body, Power, Route
from pratique.guard.settings import (
    CreateBody,
    ExecBody,
    ExecStartBody,
    NetworkBody,
    UpdateBody,
    VolumeBody,
)
from pratique.policy import Access, Builds, Document, Permit

IMAGE_NAME: Final = re.compile(r"[A-Za-z0-9_]+(?:(?:[.:@/]|-+)[A-Za-z0-9_]+)*")
_PS_ARGUMENTS: Final = re.compile(r"[A-Za-z0-9 ,=-]*")
_NETWORK_OPTIONS: Final = frozenset(
    {
        "com.docker.network.bridge.enable_icc",
        "com.docker.network.bridge.enable_ip_masquerade",
        "com.docker.network.bridge.host_binding_ipv4",
        "com.docker.network.container_iface_prefix",
        "com.docker.network.driver.mtu",
    }
)
_BUILD_NETWORKS: Final = frozenset({"", "default", "bridge", "none"})


def judge_body(request: ApiRequest, route: Route) -> None:
    """Refuse a request whose body the guard would have to see and does not, or that should have none.

    The engine shows a body only when it is JSON by its first ``Content-Type`` and not too big.

    :raises Refusal: ``request.unseen-body``
    """
    if route.body is Body.STREAM:
        return
    announced = request.headers.get("content-length", "")
    if route.body is Body.JSON and not request.body:
        refuse(
            "request.unseen-body",
            "the engine did not show the request's body to the guard",
            "send it as application/json, smaller than 1 MiB",
        )
    if not request.body and announced not in ("", "0"):
        refuse("request.unseen-body", f"the request has a body of {announced[:20]} bytes that the guard cannot see")
    if route.body is Body.NONE and request.body:
        rule = "start.body" if route.power is Power.START else "request.body"
        refuse(rule, "the request has a body where the engine expects none", "send it without")


def judge(request: ApiRequest, power: Power, document: Document) -> None:
    """Judge what can be judged from the request and the policy alone.

    :raises Refusal: naming the rule
    """
    judge_one = _JUDGES.get(power)
    if judge_one is not None:
        judge_one(request, document)


def create_body(request: ApiRequest) -> CreateBody:
    """Read what a container is asked to be.

    :raises Refusal: when it cannot be read exactly, or names no image
    """
    body = gojson.read(request.body, CreateBody)
    if not body.image:
        refuse("create.no-image", "the container has no image, so nothing can be known of what runs in it", "name one")
    if len(body.image) > 1000 or not IMAGE_NAME.fullmatch(body.image):
        refuse("create.image-name", f"{body.image[:80]!r} is not an image reference", "name the image plainly")
    return body


def _build(request: ApiRequest, document: Document) -> None:
    _build_channel(request, document)
    if document.builds is Builds.ALLOW:
        return
    if request.argument("remote") not in ("", "client-session"):
        refuse("build.remote", "the engine would fetch the build context itself", "send the context from the client")
    if request.argument("networkmode") not in _BUILD_NETWORKS:
        refuse(
            "build.option", f"the build asks for the network {request.argument('networkmode')[:80]!r}", "leave it out"
        )
    for name in ("cgroupparent", "securityopt", "extrahosts"):
        if request.argument(name) not in ("", "[]", "null"):
            refuse("build.option", f"the build sets {name}", "leave it out")


def _build_channel(request: ApiRequest, document: Document) -> None:
    del request
    if document.builds is Builds.DENY:
        refuse(
            "build.denied",
            "images are not built on this host",
            "build elsewhere and pull, or set builds: gate in the policy",
        )


def _image_create(request: ApiRequest, document: Document) -> None:
    source = request.argument("fromSrc")
    if request.argument("fromImage"):
        if source:
            refuse("request.query", "the request has both fromImage and fromSrc", "give one")
        if request.headers.get("content-length") != "0" or request.body:
            # A form body beats the query and is never shown; Go and Python clients announce that there is none.
            refuse("request.unseen-body", "a pull must say that it has no body", "send Content-Length: 0")
        _registry(request, document)
        return
    if source != "-":
        refuse("image.import-url", "the engine would fetch an image from a URL", "fetch it and use docker import -")
    _load(request, document)


def _load(request: ApiRequest, document: Document) -> None:
    del request
    if document.api.load is Access.DENY:
        refuse(
            "image.load-denied", "images are not loaded on this host", "pull it, or set api.load: allow in the policy"
        )


def _registry(request: ApiRequest, document: Document) -> None:
    del request
    if document.api.pull is Access.DENY:
        refuse("image.pull-denied", "registries are not used from this host", "set api.pull: allow in the policy")


def _commit(request: ApiRequest, document: Document) -> None:
    _load(request, document)
    if request.body:
        gojson.parse(request.body)


def _exec_create(request: ApiRequest, document: Document) -> None:
    _exec(document)
    gojson.read(request.body, ExecBody)


def _exec_start(request: ApiRequest, document: Document) -> None:
    _exec(document)
    gojson.read(request.body, ExecStartBody)


def _exec(document: Document) -> None:
    if document.api.exec is Access.DENY:
        refuse("exec.denied", "nothing is executed in running containers", "set api.exec: allow in the policy")


def _copy_into(request: ApiRequest, document: Document) -> None:
    del request
    if document.api.copy_into is Access.DENY:
        refuse("copy.denied", "nothing is copied into containers", "set api.copy_into: allow in the policy")


def _update(request: ApiRequest, document: Document) -> None:
    del document
    if gojson.read(request.body, UpdateBody).cgroup_parent:
        refuse("update.cgroup-parent", "the update moves the container to another cgroup", "leave CgroupParent out")


def _top(request: ApiRequest, document: Document) -> None:
    del document
    if not _PS_ARGUMENTS.fullmatch(request.argument("ps_args")):
        refuse("top.arguments", "the arguments for the host's ps are not plain", "use letters, digits, commas")


def _checkpoint(request: ApiRequest, document: Document) -> None:
    del request, document
    refuse("checkpoint.denied", "checkpoints write to and restore from host paths", "use volumes to keep state")


def _network_create(request: ApiRequest, document: Document) -> None:
    del document
    body = gojson.read(request.body, NetworkBody)
    if body.driver not in ("", "bridge") or body.scope not in ("", "local") or body.ingress:
        refuse(
            "network.driver",
            f"a network with the driver {body.driver[:80]!r} reaches the host's networks",
            "use bridge",
        )
    if body.ipam.driver not in ("", "default"):
        refuse("network.driver", f"the address driver {body.ipam.driver[:80]!r} is not the engine's own", "use default")
    if body.config_only or any(body.config_from.values()):
        refuse("network.option", "a network takes its settings from another", "write the settings out")
    if odd := sorted(set(body.options) - _NETWORK_OPTIONS):
        refuse("network.option", f"the network sets {', '.join(odd)[:200]}", "leave it out")


def _volume_create(request: ApiRequest, document: Document) -> None:
    body = gojson.read(request.body, VolumeBody)
    if body.driver not in ("", "local"):
        refuse("volume.driver", f"the volume driver {body.driver[:80]!r} is not the engine's own", "use local")
    options = body.driver_opts
    if mounts_something(options):
        wanted = {Permit.HOST_PATHS, Permit.SENSITIVE_PATHS, Permit.ENGINE_SOCKET}
        if not any(wanted & set(entry.permit) for entry in document.images):
            what = f"the volume is on {options['device'][:120]!r}, and no image of the policy may use such a volume"
            refuse("volume.options", what, "add permit: [host-paths] to the policy entry of the image that uses it")


def _swarm(request: ApiRequest, document: Document) -> None:
    del request
    if document.api.swarm is Access.DENY:
        what = "swarm starts containers without asking the guard"
        refuse("swarm.denied", what, "use containers, or set api.swarm: allow in the policy")


def _plugin(request: ApiRequest, document: Document) -> None:
    del request
    if document.api.plugins is Access.DENY:
        refuse("plugins.denied", "engine plugins are code that runs as root", "set api.plugins: allow in the policy")


def _debug(request: ApiRequest, document: Document) -> None:
    del request, document
    refuse("debug.denied", "the engine's debugging endpoints show its memory", "ask on the host")


_JUDGES: Final[Mapping[Power, Callable[[ApiRequest, Document], None]]] = {
    Power.BUILD: _build,
    Power.BUILD_CHANNEL: _build_channel,
    Power.IMAGE_CREATE: _image_create,
    Power.LOAD: _load,
    Power.REGISTRY: _registry,
    Power.COMMIT: _commit,
    Power.EXEC_CREATE: _exec_create,
    Power.EXEC_START: _exec_start,
    Power.COPY_INTO: _copy_into,
    Power.UPDATE: _update,
    Power.TOP: _top,
    Power.CHECKPOINT: _checkpoint,
    Power.NETWORK_CREATE: _network_create,
    Power.VOLUME_CREATE: _volume_create,
    Power.SWARM: _swarm,
    Power.PLUGIN: _plugin,
    Power.DEBUG: _debug,
}
"""``READ`` and ``CHANGE`` need no judge; ``CREATE`` and ``START`` are judged with facts, by admission."""
