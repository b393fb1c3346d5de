"""A small town of services whose true answers a reader can work out by hand.

::

    internet ──▶ front (published 8080) ──▶ cart ◀──▶ stock         batch ──▶ cart
                                              │                     cron (alone)
                                              ▼
                                            redis ◀── x ── miner (refused)

Images on one base (layer 0 brings openssl): front:1, cart:1, cart:2 (openssl mended in layer 2), redis:1, cron:1 (never
scanned). A tool is in layer 1 of cart:1, and cart:2 removes it.
"""

import hashlib

from msgspec.structs import replace

from pratique.inventory import Service, ServiceKind
from pratique.model import (
    Container,
    Direction,
    Finding,
    FindingKind,
    Flow,
    FlowVerdict,
    ImageId,
    ImageIdentity,
    ImagePrograms,
    Network,
    Package,
    Program,
    Protocol,
    PublishedPort,
    Report,
    Severity,
)
from pratique.store import Store

CVE = "CVE-2023-0286"
BASE, APP, TOP = ("sha256:" + digit * 64 for digit in "123")
TOOL = hashlib.sha256(b"tool").digest()
SHELL = hashlib.sha256(b"shell").digest()


def image(name: str, tag: str = "1", layers: tuple[str, ...] = (BASE, APP)) -> ImageIdentity:
    digest = hashlib.sha256(f"{name}:{tag}".encode()).hexdigest()
    return ImageIdentity(ImageId(f"sha256:{digest}"), references=(f"shop/{name}:{tag}",), layers=layers)


def openssl(version: str, layer: int) -> Package:
    path = "var/lib/dpkg/status"
    return Package("libssl3", version, "Debian:12", source_name="openssl", path=path, layer=layer)


def flaw(version: str, rule: str = CVE, severity: Severity = Severity.HIGH) -> Finding:
    return Finding(
        FindingKind.VULNERABILITY,
        rule,
        severity,
        "type confusion",
        package="openssl",
        version=version,
        ecosystem="Debian:12",
        fixed_version="3.0.8-1",
        aliases=("DSA-5343-1", "GHSA-x4qr-2fvf-3mr5"),
    )


FRONT, CART1, REDIS, CRON = image("front"), image("cart"), image("redis"), image("cron")
CART2 = image("cart", "2", (BASE, APP, TOP))
STOCK, BATCH, MINER = image("stock"), image("batch"), image("miner")
FLASK = Package("Flask", "2.0.1", "PyPI", path="usr/lib/python3/dist-packages/Flask-2.0.1.dist-info/METADATA", layer=1)


def service(name: str) -> Service:
    return Service(ServiceKind.COMPOSE, f"shop/{name}")


def container(name: str, of: ImageIdentity, last: int, *, number: int = 1, published: bool = False) -> Container:
    return Container(
        id=hashlib.sha256(f"{name}-{number}".encode()).hexdigest(),
        name=f"{name}-{number}",
        image=of.id,
        image_reference=of.references[0],
        running=True,
        addresses=(f"172.18.0.{last}",),
        labels={"com.docker.compose.project": "shop", "com.docker.compose.service": name},
        published=(PublishedPort("0.0.0.0", 8080, Protocol.TCP, 80),) if published else (),
        networks=(Network("shop_default", ("172.18.0.1",)),),
    )


HOUSES = {
    "front-1": container("front", FRONT, 2, published=True),
    "cart-1": container("cart", CART1, 3),
    "cart-2": container("cart", CART1, 4, number=2),
    "cart-3": container("cart", CART2, 5, number=3),
    "stock-1": container("stock", STOCK, 6),
    "redis-1": container("redis", REDIS, 7),
    "batch-1": container("batch", BATCH, 8),
    "miner-1": container("miner", MINER, 9),
    "cron-1": container("cron", CRON, 10),
    "gone-1": container("gone", CART1, 11),
}


def talk(source: str, target: str, port: int = 80, verdict: FlowVerdict = FlowVerdict.ALLOWED) -> Flow:
    sender, receiver = HOUSES[source], HOUSES[target]
    return Flow(
        sender.id,
        sender.image,
        Direction.EGRESS,
        Protocol.TCP,
        receiver.addresses[0],
        port,
        verdict,
        1,
        60,
        50,
        60,
        "sh",
    )


def build(store: Store) -> None:
    """Build the town."""
    for one in (FRONT, CART1, REDIS, STOCK, BATCH, MINER):
        store.put_report(_report(one, openssl("3.0.7-1", 0), flaw("3.0.7-1")))
    store.put_report(_report(CART2, openssl("3.0.9-1", 2)))
    store.put_report(replace(_report(REDIS, Package("redis", "7.0", "Debian:12", layer=1)), scanned_at=2.0))
    extra = flaw("3.0.7-1", "CVE-2022-4450", Severity.MEDIUM)
    store.put_report(replace(_report(STOCK, openssl("3.0.7-1", 0), flaw("3.0.7-1"), extra, FLASK), scanned_at=3.0))
    store.put_image(CRON, 1.0)
    for one in (FRONT, CART1, STOCK):
        store.put_programs(ImagePrograms(one, 1.0, (Program("usr/bin/tool", 1, TOOL), Program("bin/sh", 0, SHELL))))
    store.put_programs(ImagePrograms(CART2, 1.0, (Program("bin/sh", 0, SHELL),)))
    for number, house in enumerate(HOUSES.values()):
        store.put_container(house, "unlisted", True, 10.0 + number)
    store.container_gone(HOUSES["gone-1"].id, 40.0)
    talks = [
        talk("front-1", "cart-1"),
        talk("cart-1", "stock-1"),
        talk("stock-1", "cart-3"),
        talk("cart-2", "redis-1"),
        talk("batch-1", "cart-2"),
    ]
    store.add_flows(talks)
    store.add_flows([talk("miner-1", "redis-1", 6379, FlowVerdict.DENIED)])
    visitor = replace(talk("front-1", "front-1", 8080), direction=Direction.INGRESS, address="9.9.9.9")
    store.add_flows([visitor])


def _report(of: ImageIdentity, *facts: Package | Finding) -> Report:
    return Report(
        of,
        scanned_at=1.0,
        duration_s=1.0,
        packages=tuple(fact for fact in facts if isinstance(fact, Package)),
        findings=tuple(fact for fact in facts if isinstance(fact, Finding)),
    )
