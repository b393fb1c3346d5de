"""The market: the shop, the fleet and some neighbours, a host as a small team has it, for the console to show.

The neighbours are ``web``, which asks the shop, ``reports``, whose list is still being learnt,
``courier``, which lacks a rule and asks again and again, ``nightly``, which somebody will quarantine, and ``banner``,
whose labels hold a script.
"""

from contextlib import suppress
from functools import cache
from typing import Final

import requests
from docker.errors import APIError
from docker.models.containers import Container
from msgspec.structs import replace

from pratique.model import EgressMode, Protocol
from pratique.policy import Allow, Builds, ImagePolicy, parse, render
from testbed import fleet, images
from testbed.fleet import Fleet
from testbed.images import Image
from testbed.protection import Protection
from testbed.servers import PAYMENT_PORT
from testbed.shop import CHECKOUT, REDIS, REDIS_PORT, policy
from testbed.stage import Stage
from testbed.world import OUTSIDE

SCRIPT: Final = "<img src=x onerror=alert(1)><script>alert(2)</script>"
"""What must never be more than text."""
PAYMENT: Final = (OUTSIDE, PAYMENT_PORT)
_CHECKOUT_PORT: Final = 8080
_SHOPPING: Final = f"while :; do busybox wget -q -O /dev/null http://127.0.0.1:{fleet.PORT}/; sleep 1; done"
_SCENES: Final = ("a1", "b1", "c1", "d1", "d6.4")
"""Steps of the attack that leave something to see: refused requests, a killed program, refused traffic."""


@cache
def neighbours() -> dict[str, Image]:
    """Return the neighbours' images, by the containers' names."""
    return {
        "web": _calling("shop/web:1", CHECKOUT, _CHECKOUT_PORT, seconds=1),
        "reports": _calling("shop/reports:1", REDIS, REDIS_PORT, seconds=1),
        "courier": _calling("shop/courier:1", *PAYMENT, seconds=1),
        "nightly": _calling("batch/nightly:1", *PAYMENT, seconds=1),
        "banner": Image("ads/banner:1", images.base().layers, {"Cmd": ["sleep", "86400"], "Labels": {"x": SCRIPT}}),
    }


class Market:
    """The neighbours' containers on the shop's network, and the fleet, in which somebody shops all the time.

    :param replicas: of the fleet's services
    """

    def __init__(self, stage: Stage, replicas: int = 1) -> None:
        self.stage = stage
        self.client = stage.engine.client()
        for image in neighbours().values():
            image.load(self.client)
        self.fleet = Fleet(self.client, replicas)
        self._customer = stage.engine.network.start(["busybox", "sh", "-c", _SHOPPING])
        self.web = self._run("web", labels=_compose("shop", "web"))
        self.reports = self._run("reports")
        self.courier = self._run("courier")
        self.nightly = self._run("nightly", labels=_compose("batch", "nightly"))
        self.banner = self._run("banner", labels=_compose("ads", SCRIPT))

    def close(self) -> None:
        """Let the customer go and close the connection to the engine."""
        self._customer.kill()
        self._customer.wait()
        self.client.close()

    def suffer(self) -> None:
        """Let the attacker try what he can, and leave what came of it."""
        attack = self.stage.attack
        for name in _SCENES:
            with suppress(APIError, requests.RequestException):
                self.stage.steps[name].act(attack)

    def _run(
        self,
        name: str,
        *,
        labels: dict[str, str] | None = None,
    ) -> Container:
        image = neighbours()[name].reference
        return self.client.containers.run(image, name=name, network="shop", detach=True, labels=labels)


def policy_of_market() -> str:
    """Return a policy under which everybody may do what is needed, but ``courier``; ``reports`` is still learnt."""
    document = parse(policy(Builds.DENY).encode())
    payment = Allow(to=OUTSIDE, port=PAYMENT_PORT, protocol=Protocol.TCP, note="payment service")
    shop = Allow(to=CHECKOUT, port=_CHECKOUT_PORT, protocol=Protocol.TCP, note="the shop")
    entries = (
        _entry("web", allow=(shop,)),
        _entry("reports", egress=EgressMode.LEARN),
        _entry("courier"),
        _entry("nightly", allow=(payment,)),
        _entry("banner"),
    )
    fleet_entries = parse(fleet.policy().encode()).images
    return render(replace(document, images=document.images + entries + fleet_entries))


def import_advisories(protection: Protection) -> None:
    """Tell Pratique of the vulnerability that is planted in the fleet."""
    path = fleet.write_advisories(protection.engine.folder / "advisories.zip")
    protection.run("db", "import", str(path))


def _entry(name: str, *, egress: EgressMode = EgressMode.ENFORCE, allow: tuple[Allow, ...] = ()) -> ImagePolicy:
    image = neighbours()[name]
    return ImagePolicy(name=image.reference.partition(":")[0], ids=(image.id,), egress=egress, allow=allow)


def _calling(reference: str, to: str, port: int, *, seconds: int) -> Image:
    loop = f"while :; do probe tcp {to} {port} 'GET / HTTP/1.0\r\n\r\n' >/dev/null 2>&1; sleep {seconds}; done"
    # The label keeps images apart that do the same: an image is its content.
    return Image(reference, images.base().layers, {"Cmd": ["/bin/sh", "-c", loop], "Labels": {"title": reference}})


def _compose(project: str, service: str) -> dict[str, str]:
    return {"com.docker.compose.project": project, "com.docker.compose.service": service}
