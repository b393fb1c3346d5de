"""Where containers are: their image, service, addresses and published ports, on one connection."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, insert, select, update

from pratique.inventory import Service, is_exposed, service_of
from pratique.model import Container, ImageIdentity
from pratique.store.encoding import text
from pratique.store.numbers import number_rows
from pratique.store.tables import ADDRESSES, KNOWN_IMAGES, PLACEMENTS, PRESENT, PUBLISHED_PORTS, SERVICES
from pratique.store.upsert import added, kept, least, unless_empty, upsert


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
    """Return the number of an image, and keep its name."""
    return image_number(connection, image.id, image.name)


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
    row = {
        "image": image,
        "service": number,
        "container": text(container.id),
        "host": text(host),
        "name": text(container.name),
        "running": container.running,
        "exposed": is_exposed(container),
        "since": at if old is None else old.since,
    }
    if old is not None and (old.image, old.service) != (image, number):
        _remove(connection, old)
        old = None
    _count(connection, image, number, _weights(row), _weights(old), at)
    upsert(connection, PRESENT, ["image", "service", "container"], row)
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
    _count(connection, old.image, old.service, (0, 0, 0), _weights(old), old.since)
    connection.execute(delete(PRESENT).where(PRESENT.c.container == old.container))


def _weights(row: Row[Any] | dict[str, Any] | None) -> tuple[int, int, int]:
    if row is None:
        return 0, 0, 0
    running, exposed = (row["running"], row["exposed"]) if isinstance(row, dict) else (row.running, row.exposed)
    return 1, int(running), int(exposed)


def _count(
    connection: Connection,
    image: int,
    service: int,
    new: tuple[int, int, int],
    old: tuple[int, int, int],
    at: float,
) -> None:
    if new == old:
        return
    present, running, exposed = (after - before for after, before in zip(new, old, strict=True))
    upsert(
        connection,
        PLACEMENTS,
        ["image", "service"],
        {
            "image": image,
            "service": service,
            "present": present,
            "running": running,
            "exposed": exposed,
            "first_seen": at,
        },
        {"present": added, "running": added, "exposed": added, "first_seen": least},
    )


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
