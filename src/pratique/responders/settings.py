"""The settings of a container's successor, from what the engine tells of the container. Pure.

What the old image brought along is left out, so that the new image's own takes its place: a container's configuration
as the engine tells it is that of its image and of whoever created it, merged.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from pratique.model import SwapMode

PLAN_LABEL: Final = "io.pratique.plan"
STEP_LABEL: Final = "io.pratique.step"
"""On a successor: the plan and the step that made it, by which an interrupted plan finds it again."""

_COMPOSE_IMAGE: Final = "com.docker.compose.image"
_BUILT_IN: Final = frozenset({"default", "bridge", "host", "none"})
_FROM_IMAGE: Final = ("User", "WorkingDir", "StopSignal", "Shell", "OnBuild", "Healthcheck", "ArgsEscaped")
_LISTED_BY_IMAGE: Final = ("ExposedPorts", "Volumes")
_OF_OLD: Final = ("Image", "Hostname", "MacAddress")
_ENDPOINT: Final = ("IPAMConfig", "Links", "DriverOpts", "GwPriority")
_OBSERVED: Final = frozenset({"ContainerIDFile"})


class Creation(Struct, frozen=True):
    """What to ask the engine for."""

    body: dict[str, Any]
    """Of ``POST /containers/create``; with the first network."""
    networks: dict[str, dict[str, Any]]
    """Network → endpoint settings with all aliases, for every network."""


def choose_mode(inspected: Mapping[str, Any]) -> tuple[SwapMode, str]:
    """Return how a container can be replaced, and what keeps it from having its successor beside it."""
    claim = next(_claims(inspected), "")
    return (SwapMode.IN_TURN if claim else SwapMode.BESIDE), claim


def _claims(inspected: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a container has that only one can have at a time."""
    host = inspected.get("HostConfig") or {}
    if published := sorted(name for name, bound in (host.get("PortBindings") or {}).items() if bound):
        yield f"publishes {', '.join(published)}"
    if host.get("NetworkMode") == "host":
        yield "is on the host's network"
    for name, endpoint in _networks(inspected).items():
        if any((endpoint.get("IPAMConfig") or {}).get(key) for key in ("IPv4Address", "IPv6Address")):
            yield f"has an address of its own in {name}"
    if (inspected.get("Config") or {}).get("MacAddress"):
        yield "has a hardware address of its own"
    for mount in inspected.get("Mounts") or ():
        if mount.get("RW") and mount.get("Type") in {"volume", "bind"}:
            yield f"writes to {mount.get('Destination')}"
    if host.get("Devices") or host.get("DeviceRequests"):
        yield "uses devices"


def why_not(inspected: Mapping[str, Any]) -> str:
    """Return why a container cannot be replaced by a plan, or ``""``."""
    host = inspected.get("HostConfig") or {}
    if not (inspected.get("State") or {}).get("Running"):
        return "does not run"
    if (inspected.get("State") or {}).get("Paused"):
        return "is paused"
    if host.get("AutoRemove"):
        return "was started with --rm, so it would be gone before its successor has proved itself"
    for key in ("NetworkMode", "PidMode", "IpcMode"):
        if str(host.get(key, "")).startswith("container:"):
            return "shares a namespace with another container"
    return ""


def creation(
    inspected: Mapping[str, Any],
    old_image: Mapping[str, Any],
    new_image: str,
    reference: str,
    labels: Mapping[str, str],
    *,
    cgroups: str,
) -> Creation:
    """Return how to create a container's successor.

    :param inspected: the container, as ``GET /containers/X/json`` tells it
    :param old_image: its image, as ``GET /images/X/json`` tells it
    :param new_image: the new image's id
    :param reference: the new image's name, which the engine resolves again
    :param labels: added to the container's own
    :param cgroups: the engine's version of cgroups, ``1`` or ``2``, by which it fills in what nobody asked for
    """
    own, base = inspected["Config"], old_image.get("Config") or {}
    body = {key: value for key, value in own.items() if key not in _OF_OLD}
    body["Image"] = reference
    if not str(inspected["Id"]).startswith(str(own.get("Hostname") or "-")):  # else the engine made it of the id
        body["Hostname"] = own["Hostname"]
    if own.get("MacAddress"):
        body["MacAddress"] = own["MacAddress"]
    body["Env"] = [entry for entry in own.get("Env") or () if entry not in (base.get("Env") or ())]
    inherited = base.get("Labels") or {}
    kept = {key: value for key, value in (own.get("Labels") or {}).items() if inherited.get(key) != value}
    if _COMPOSE_IMAGE in kept:
        kept[_COMPOSE_IMAGE] = new_image
    body["Labels"] = {**kept, **labels}
    if own.get("Entrypoint") == base.get("Entrypoint"):
        body.pop("Entrypoint", None)
        if own.get("Cmd") == base.get("Cmd"):
            body.pop("Cmd", None)
    for key in _FROM_IMAGE:
        if own.get(key) == base.get(key):
            body.pop(key, None)
    for key in _LISTED_BY_IMAGE:
        listed = base.get(key) or {}
        body[key] = {name: value for name, value in (own.get(key) or {}).items() if name not in listed}
    body["HostConfig"] = _host_config(inspected, cgroups)
    networks = {name: _endpoint(inspected, endpoint) for name, endpoint in _networks(inspected).items()}
    return Creation(body=body, networks=networks)


def endpoint_without_names(endpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return endpoint settings by which nobody finds the container yet."""
    return {key: value for key, value in endpoint.items() if key != "Aliases"}


def is_named(network: str) -> bool:
    """Tell whether a network has a resolver that knows aliases; the engine's own networks have none."""
    return network not in _BUILT_IN


def _networks(inspected: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    if str((inspected.get("HostConfig") or {}).get("NetworkMode", "")).startswith(("host", "none", "container:")):
        return {}
    return dict((inspected.get("NetworkSettings") or {}).get("Networks") or {})


def _endpoint(inspected: Mapping[str, Any], endpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for of what an endpoint has; the container's name is one of its names as well."""
    settings = {key: endpoint[key] for key in _ENDPOINT if endpoint.get(key)}
    name, own = str(inspected["Name"]).removeprefix("/"), str(inspected["Id"])[:12]
    aliases = [alias for alias in endpoint.get("Aliases") or () if alias != own]
    settings["Aliases"] = [*aliases, *([] if name in aliases else [name])]
    return settings


def _host_config(inspected: Mapping[str, Any], cgroups: str) -> dict[str, Any]:
    filled_in = {"CgroupnsMode": "private" if cgroups == "2" else "host"}
    host = {
        key: value
        for key, value in inspected["HostConfig"].items()
        if key not in _OBSERVED and filled_in.get(key) != value
    }
    if host.get("Links"):
        # told as /other:/this/alias, asked for as other:alias
        pairs = (str(link).partition(":") for link in host["Links"])
        host["Links"] = [f"{target.removeprefix('/')}:{alias.rpartition('/')[2]}" for target, _, alias in pairs]
    bound = {str(bind).split(":")[1] for bind in host.get("Binds") or () if ":" in str(bind)}
    bound |= {str(mount.get("Target")) for mount in host.get("Mounts") or ()}
    anonymous = [
        {
            "Type": "volume",
            "Source": mount["Name"],
            "Target": mount["Destination"],
            "ReadOnly": not mount.get("RW", True),
        }
        for mount in inspected.get("Mounts") or ()
        if mount.get("Type") == "volume" and mount["Destination"] not in bound
    ]
    if anonymous and not host.get("VolumesFrom"):
        host["Mounts"] = [*(host.get("Mounts") or ()), *anonymous]
    return host
