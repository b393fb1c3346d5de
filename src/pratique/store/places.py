"""Where containers are: their image, service, addresses and published ports, on one connection."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, insert, select, update

from pratique.inventory import Service, is_exposed, service_of
from pratique.model import Container, ImageIdentity
from pratique.store.encoding import text
from pratique.store.numbers import number_rows
from pratique.store.tables import ADDRESSES, IMAGE_NAMES, KNOWN_IMAGES, PLACEMENTS, PRESENT, PUBLISHED_PORTS, SERVICES
from pratique.store.upsert import Merge, added, kept, least, unless_empty, upsert


def image_number(connection: Connection, image: str, name: str = "") -> int:
    """Return the number of an image, known or not.

    :param name: for people; ``""`` when it is not known
    """
    image, name = text(image), text(name)
    query = select(KNOWN_IMAGES.c.number, KNOWN_IMAGES.c.name).where(KNOWN_IMAGES.c.image == image)
    row = connection.execute(query).first()
    if row is None:
        values = {"image": image, "name": name, "scanned_at": None, "files_at": None, "severity": 0}
        connection.execute(insert(KNOWN_IMAGES), values)
        row = connection.execute(query).one()
    elif name and row.name != name:
        connection.execute(update(KNOWN_IMAGES).where(KNOWN_IMAGES.c.number == row.number).values(name=name))
    return int(row.number)


def number_image(connection: Connection, image: ImageIdentity) -> int:
    """Return the number of an image, and keep its names."""
    number = image_number(connection, image.id, image.name)
    names = {text(name) for name in (*image.references, *image.repo_digests)}
    known = connection.execute(select(IMAGE_NAMES.c.name).where(IMAGE_NAMES.c.image == number)).scalars()
    if names != set(known):
        connection.execute(delete(IMAGE_NAMES).where(IMAGE_NAMES.c.image == number))
        rows: list[dict[str, object]] = [{"name": name, "image": number} for name in sorted(names)]
        upsert(connection, IMAGE_NAMES, ["name", "image"], rows)
    return number


def service_numbers(connection: Connection, services: Iterable[Service]) -> dict[Service, int]:
    """Return the numbers of services, known or not."""
    wanted = {(service.kind.value, text(service.name)): service for service in services}
    rows = [{"kind": kind, "name": name} for kind, name in wanted]
    numbers = number_rows(connection, SERVICES, ("kind", "name"), rows)
    return {service: numbers[key] for key, service in wanted.items()}


def place(connection: Connection, host: str, container: Container, at: float) -> None:
    """Note where a container is now, and count it there."""
    service = service_of(container)
    number = service_numbers(connection, [service])[service]
    image = image_number(connection, container.image)
    old = _present(connection, text(container.id))
    rank = (0 if is_exposed(container) else 2) + (0 if container.running else 1)
    row = {
        "image": image,
        "service": number,
        "rank": rank,
        "container": text(container.id),
        "host": text(host),
        "name": text(container.name),
        "since": at if old is None else old.since,
    }
    if old is None or any(row[name] != getattr(old, name) for name in row):
        if old is not None:
            _remove(connection, old)
        connection.execute(insert(PRESENT), row)
        _count(connection, image, number, _weights(rank), at)
    _reach(connection, host, container, number, at)


def leave(connection: Connection, container_id: str, at: float) -> None:
    """Note that a container is gone."""
    old = _present(connection, text(container_id))
    if old is not None:
        _remove(connection, old)
    for table in (ADDRESSES, PUBLISHED_PORTS):
        _close(connection, table, text(container_id), at)


def put_host_addresses(connection: Connection, host: str, addresses: Iterable[str], at: float) -> None:
    """Note addresses that are the host's own: what is published there is a container's."""
    rows: list[dict[str, object]] = [
        {"address": text(address), "host": text(host), "container": "", "service": 0, "since": at, "until": None}
        for address in sorted(set(addresses))
    ]
    upsert(connection, ADDRESSES, ["address", "host", "container"], rows, {"since": least})


def _present(connection: Connection, container_id: str) -> Row[Any] | None:
    return connection.execute(select(PRESENT).where(PRESENT.c.container == container_id)).first()


def _remove(connection: Connection, old: Row[Any]) -> None:
    _count(connection, old.image, old.service, [-weight for weight in _weights(old.rank)], old.since)
    connection.execute(delete(PRESENT).where(PRESENT.c.container == old.container))


def _weights(rank: int) -> list[int]:
    """Return what a container counts for as present, running and exposed."""
    return [1, int(rank % 2 == 0), int(rank < 2)]


def _count(connection: Connection, image: int, service: int, weights: list[int], at: float) -> None:
    counts = dict(zip(("present", "running", "exposed"), weights, strict=True))
    row = {"image": image, "service": service, **counts, "first_seen": at}
    merge: dict[str, Merge] = {**dict.fromkeys(counts, added), "first_seen": least}
    upsert(connection, PLACEMENTS, ["image", "service"], row, merge)


def _reach(connection: Connection, host: str, container: Container, service: int, at: float) -> None:
    """Note the addresses and ports that lead to a container while it runs."""
    identity = {"host": text(host), "container": text(container.id), "service": service, "since": at, "until": None}
    if not container.running:
        for table in (ADDRESSES, PUBLISHED_PORTS):
            _close(connection, table, text(container.id), at)
        return
    mine = sorted({text(address) for address in container.addresses})
    addresses: list[dict[str, object]] = [{"address": address, **identity} for address in mine]
    others = (ADDRESSES.c.host == text(host)) & ~ADDRESSES.c.container.in_(["", text(container.id)])
    taken = ADDRESSES.c.address.in_(mine) & others & ADDRESSES.c.until.is_(None)
    connection.execute(update(ADDRESSES).where(taken).values(until=at))  # by one whose end nobody told
    upsert(connection, ADDRESSES, ["address", "host", "container"], addresses, {"since": kept})
    gateways = {gateway for network in container.networks for gateway in network.gateways}
    put_host_addresses(connection, host, gateways, at)
    places: dict[tuple[int, str], set[str]] = {}
    for port in container.published:
        places.setdefault((port.port, port.protocol.value), set()).add(text(port.address))
    ports: list[dict[str, object]] = [
        {"port": port, "protocol": protocol, "address": " ".join(sorted(at_addresses)), **identity}
        for (port, protocol), at_addresses in sorted(places.items())
    ]
    keys = ["port", "protocol", "host", "container"]
    upsert(connection, PUBLISHED_PORTS, keys, ports, {"since": kept, "address": unless_empty})


def _close(connection: Connection, table: Table, container_id: str, at: float) -> None:
    mine = (table.c.container == container_id) & table.c.until.is_(None)
    connection.execute(update(table).where(mine).values(until=at))
