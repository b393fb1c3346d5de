"""A fleet: seven services in a chain, many replicas of each, found by a name in the engine's resolver.

::

    customers ── edge ── web ── orders ──┬── payments ──┐
               (a port of the host)      ├── stock ─────┼── db
                                         └── mail ──────┘

Version 1 of an image has a package with a planted vulnerability, version 2 has it mended.
"""

import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any, Final

import docker
from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool

from pratique.model import Protocol
from pratique.policy import Allow, Document, ImagePolicy, render
from testbed import images
from testbed.images import Image

CVE: Final = "CVE-2026-4242"
"""The planted vulnerability; it exists nowhere else."""
PORT: Final = 8080
NETWORK: Final = "fleet"
SUBNET: Final = "10.218.0.0/16"
NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "db": (),
    "payments": ("db",),
    "stock": ("db",),
    "mail": ("db",),
    "orders": ("payments", "stock", "mail"),
    "web": ("orders",),
    "edge": ("web",),
}
"""Service → the services that it asks for each request."""
BYSTANDER: Final = "ledger"
"""A service that has the mended package from the beginning and must be left alone."""
_CHECKED: Final = "payments"
"""The service whose image has a health check; each check is a process, so one is enough for two processors."""
_VULNERABLE, _MENDED = "1.2.3-r0", "1.2.4-r0"
_SECOND_NS: Final = 1_000_000_000


@cache
def image(service: str, version: int = 1, *, broken: str = "") -> Image:
    """Return a service's image.

    :param broken: ``ends``: its program ends soon after its start; ``unhealthy``: its health check fails
    """
    package = _VULNERABLE if version == 1 else _MENDED
    installed = f"P:libplanted\nV:{package}\nA:x86_64\nL:MIT\n\n"
    files = {
        "usr/bin/relay": images.program("relay"),
        "lib/apk/db/installed": installed.encode(),
        "etc/service": f"{service} {version} {broken}\n".encode(),
    }
    config: dict[str, Any] = {"Entrypoint": ["/usr/bin/relay"], "Cmd": [str(PORT), *NEEDS.get(service, ())]}
    if service == _CHECKED or broken == "unhealthy":
        test = ["CMD", "/usr/bin/relay", "check", "1" if broken else str(PORT)]
        interval = _SECOND_NS if broken else 3 * _SECOND_NS
        config["Healthcheck"] = {"Test": test, "Interval": interval, "Timeout": 5 * _SECOND_NS, "Retries": 2}
    if broken == "ends":
        config["Entrypoint"], config["Cmd"] = ["/bin/sh", "-c", "sleep 1; exit 3"], []
    layer = images.archive(files, executable=("usr/bin/relay",))
    created = f"2026-01-0{version}T00:00:00Z"
    return Image(f"fleet/{service}:{version}", (*images.base().layers, layer), config, created)


class Fleet:
    """The fleet's containers, on a network of their own.

    :param replicas: of each service but ``edge``, of which there is one
    """

    def __init__(self, client: docker.DockerClient, replicas: int) -> None:
        self._client = client
        self.replicas = replicas
        for service in (*NEEDS, BYSTANDER):
            image(service, 2 if service == BYSTANDER else 1).load(client)
        pool = IPAMPool(subnet=SUBNET, gateway="10.218.0.1")
        client.networks.create(NETWORK, driver="bridge", ipam=IPAMConfig(pool_configs=[pool]))
        for service in NEEDS:
            for number in range(1, (1 if service == "edge" else replicas) + 1):
                self._run(service, number)
        for number in (1, 2):
            self._run(BYSTANDER, number)

    def containers(self, service: str = "") -> list[Container]:
        """Return the running containers of the fleet, or of one service."""
        labels = ["com.docker.compose.project=fleet"]
        labels += [f"com.docker.compose.service={service}"] if service else []
        return self._client.containers.list(filters={"label": labels})

    def versions(self) -> dict[str, str]:
        """Return the image that each running container has, by the container's name."""
        return {str(container.name): container.attrs["Config"]["Image"] for container in self.containers()}

    def _run(self, service: str, number: int) -> None:
        client = self._client.api
        own = image(service, 2 if service == BYSTANDER else 1)
        host = client.create_host_config(
            network_mode=NETWORK,
            restart_policy={"Name": "unless-stopped"},
            port_bindings={PORT: PORT} if service == "edge" else None,
        )
        created = client.create_container(
            own.reference,
            name=f"fleet_{service}_{number}",
            ports=[PORT] if service == "edge" else None,
            environment={"REPLICA": str(number)},
            labels={
                "com.docker.compose.project": "fleet",
                "com.docker.compose.service": service,
                "com.docker.compose.container-number": str(number),
            },
            networking_config={"EndpointsConfig": {NETWORK: client.create_endpoint_config(aliases=[service])}},
            host_config=host,
        )
        client.start(created["Id"])


def policy() -> str:
    """Return the fleet's policy: each service may talk to the services, on their port, and to nobody else."""
    entries = [
        ImagePolicy(
            name=f"fleet/{service}",
            ids=(image(service, 2 if service == BYSTANDER else 1).id,),
            allow=(
                Allow(to=SUBNET, port=PORT, protocol=Protocol.TCP, note="the fleet"),
                Allow(to="127.0.0.11", port=53, protocol=Protocol.UDP, note="names"),
            ),
        )
        for service in (*NEEDS, BYSTANDER)
    ]
    return render(Document(images=tuple(entries)))


def write_advisories(path: Path) -> Path:
    """Write a zip with the advisory of the planted vulnerability, as OSV publishes them."""
    events = [{"introduced": "0"}, {"fixed": _MENDED}]
    package = {"ecosystem": "Alpine:v3.19", "name": "libplanted"}
    document = {
        "id": CVE,
        "modified": "2026-01-01T00:00:00Z",
        "summary": "planted for a test",
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        "affected": [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}],
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{CVE}.json", json.dumps(document))
    return path
