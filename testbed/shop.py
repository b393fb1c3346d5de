"""The honest shop: ``shop/checkout`` with its peer ``shop/redis``, and a neighbour that it has no business with."""

from pathlib import Path
from typing import Final

import docker
from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool

from pratique.model import Protocol
from pratique.policy import Allow, Builds, Document, ImagePolicy, render
from testbed import images
from testbed.servers import PAYMENT_PORT
from testbed.world import OUTSIDE

REDIS: Final = "10.217.0.10"
CHECKOUT: Final = "10.217.0.20"
NEIGHBOUR: Final = "10.217.0.30"
GATEWAY: Final = "10.217.0.1"
REDIS_PORT: Final = 6379


class Shop:
    """The shop's containers on a network of their own, with an embedded resolver, as Compose makes it."""

    def __init__(self, client: docker.DockerClient) -> None:
        for image in (images.base(), images.redis(), images.checkout()):
            image.load(client)
        pools = [
            IPAMPool(subnet="10.217.0.0/24", gateway=GATEWAY),
            IPAMPool(subnet="fd00:217::/64", gateway="fd00:217::1"),
        ]
        client.networks.create("shop", driver="bridge", enable_ipv6=True, ipam=IPAMConfig(pool_configs=pools))
        self._client = client
        self.redis = self._run("redis", images.redis(), REDIS)
        self.neighbour = self._run("ledger", images.redis(), NEIGHBOUR)
        peers = [REDIS, str(REDIS_PORT), OUTSIDE, str(PAYMENT_PORT)]
        self.checkout = self._run("checkout", images.checkout(), CHECKOUT, *peers)

    @property
    def address6(self) -> str:
        """The IPv6 address of ``checkout``."""
        return str(self.checkout.attrs["NetworkSettings"]["Networks"]["shop"]["GlobalIPv6Address"])

    def path(self, name: str) -> Path:
        """Return a path in the running ``checkout``, seen from the host."""
        self.checkout.reload()
        return Path(f"/proc/{self.checkout.attrs['State']['Pid']}/root") / name.lstrip("/")

    def _run(self, name: str, image: images.Image, address: str, *arguments: str) -> Container:
        client = self._client
        endpoint = client.api.create_endpoint_config(ipv4_address=address)
        created = client.api.create_container(
            image.reference,
            list(arguments) or None,
            name=name,
            networking_config={"EndpointsConfig": {"shop": endpoint}},
            host_config=client.api.create_host_config(network_mode="shop", restart_policy={"Name": "unless-stopped"}),
        )
        container = client.containers.get(created["Id"])
        container.start()
        container.reload()
        return container


def policy(builds: Builds) -> str:
    """Return the shop's policy: everything is denied but what the two images need."""
    checkout = ImagePolicy(
        name="shop/checkout",
        ids=(images.checkout().id,),
        allow=(
            Allow(to=REDIS, port=REDIS_PORT, protocol=Protocol.TCP, note="orders"),
            Allow(to=OUTSIDE, port=PAYMENT_PORT, protocol=Protocol.TCP, note="payment service"),
        ),
    )
    redis = ImagePolicy(name="shop/redis", ids=(images.redis().id,))
    return render(Document(builds=builds, images=(checkout, redis)))
