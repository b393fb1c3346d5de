"""Every endpoint of the engine's API, versions 1.40 to 1.5x, and what it can do.

In the order in which the engine's own router tries them (moby, ``api/server/router``). Names of containers, networks
and volumes are one path segment; the engine would take a slash too (``{name:.*}``), no real name has one.
"""

import re
from enum import Enum, auto
from typing import Final

from msgspec import Struct

from pratique.guard.refusal import refuse


class Power(Enum):
    """What an endpoint can do; each has one judge."""

    READ = auto()
    """Tells something and changes nothing."""
    CHANGE = auto()
    """Changes what was admitted, in ways that need no second look: stop, rename, remove, attach …"""
    CREATE = auto()
    START = auto()
    EXEC_CREATE = auto()
    EXEC_START = auto()
    UPDATE = auto()
    COPY_INTO = auto()
    COMMIT = auto()
    IMAGE_CREATE = auto()
    """Pull or import."""
    LOAD = auto()
    REGISTRY = auto()
    """Makes the engine talk to a registry."""
    BUILD = auto()
    BUILD_CHANNEL = auto()
    """What BuildKit says here is not shown to the guard."""
    TOP = auto()
    CHECKPOINT = auto()
    NETWORK_CREATE = auto()
    VOLUME_CREATE = auto()
    SWARM = auto()
    PLUGIN = auto()
    DEBUG = auto()


class Body(Enum):
    """What an endpoint takes as its body."""

    NONE = auto()
    JSON = auto()
    """Must be shown to the guard."""
    OPTIONAL_JSON = auto()
    STREAM = auto()
    """Anything; the engine shows none of it."""


class Route(Struct, frozen=True):
    """One endpoint."""

    method: str
    pattern: re.Pattern[str]
    power: Power
    body: Body


def _table(text: str) -> tuple[Route, ...]:
    routes = []
    for line in text.strip().splitlines():
        method, path, power, *body = line.split()
        pattern = re.escape(path).replace(r"\{name\}", "(?P<name>[^/]+)").replace(r"\{id\}", "[^/]+")
        pattern = pattern.replace(r"\{image\}", "(?P<name>.+)").replace(r"\{rest\}", ".*")
        routes.append(Route(method, re.compile(pattern), Power[power], Body[body[0]] if body else Body.NONE))
    return tuple(routes)


ROUTES: Final = _table("""
POST   /containers/{name}/checkpoints       CHECKPOINT      OPTIONAL_JSON
GET    /containers/{name}/checkpoints       READ
DELETE /containers/{name}/checkpoints/{id}  CHECKPOINT
HEAD   /containers/{name}/archive           READ
GET    /containers/json                     READ
GET    /containers/{name}/export            READ
GET    /containers/{name}/changes           READ
GET    /containers/{name}/json              READ
GET    /containers/{name}/top               TOP
GET    /containers/{name}/logs              READ
GET    /containers/{name}/stats             READ
GET    /containers/{name}/attach/ws         CHANGE
GET    /exec/{name}/json                    READ
GET    /containers/{name}/archive           READ
POST   /containers/create                   CREATE          JSON
POST   /containers/{name}/kill              CHANGE
POST   /containers/{name}/pause             CHANGE
POST   /containers/{name}/unpause           CHANGE
POST   /containers/{name}/restart           START
POST   /containers/{name}/start             START
POST   /containers/{name}/stop              CHANGE
POST   /containers/{name}/wait              CHANGE
POST   /containers/{name}/resize            CHANGE
POST   /containers/{name}/attach            CHANGE          STREAM
POST   /containers/{name}/exec              EXEC_CREATE     JSON
POST   /exec/{name}/start                   EXEC_START      JSON
POST   /exec/{name}/resize                  CHANGE
POST   /containers/{name}/rename            CHANGE
POST   /containers/{name}/update            UPDATE          JSON
POST   /containers/prune                    CHANGE
POST   /commit                              COMMIT          OPTIONAL_JSON
PUT    /containers/{name}/archive           COPY_INTO       STREAM
DELETE /containers/{name}                   CHANGE
GET    /images/json                         READ
GET    /images/search                       REGISTRY
GET    /images/get                          READ
GET    /images/{image}/get                  READ
GET    /images/{image}/history              READ
GET    /images/{image}/json                 READ
GET    /images/{image}/attestations         READ
POST   /images/load                         LOAD            STREAM
POST   /images/create                       IMAGE_CREATE    STREAM
POST   /images/{image}/push                 REGISTRY        OPTIONAL_JSON
POST   /images/{image}/tag                  CHANGE
POST   /images/prune                        CHANGE
DELETE /images/{image}                      CHANGE
GET    /_ping                               READ
HEAD   /_ping                               READ
GET    /events                              READ
GET    /info                                READ
GET    /version                             READ
GET    /system/df                           READ
POST   /auth                                REGISTRY        STREAM
GET    /volumes                             READ
GET    /volumes/{name}                      READ
POST   /volumes/create                      VOLUME_CREATE   JSON
POST   /volumes/prune                       CHANGE
PUT    /volumes/{name}                      SWARM           STREAM
DELETE /volumes/{name}                      CHANGE
POST   /build                               BUILD           STREAM
POST   /build/prune                         CHANGE
POST   /build/cancel                        CHANGE
POST   /session                             BUILD_CHANNEL   STREAM
POST   /grpc                                BUILD_CHANNEL   STREAM
GET    /swarm                               READ
GET    /swarm/unlockkey                     SWARM
POST   /swarm/{rest}                        SWARM           STREAM
GET    /services                            READ
GET    /services/{id}                       READ
GET    /services/{id}/logs                  READ
POST   /services/{rest}                     SWARM           STREAM
DELETE /services/{id}                       SWARM
GET    /nodes                               READ
GET    /nodes/{id}                          READ
POST   /nodes/{rest}                        SWARM           STREAM
DELETE /nodes/{id}                          SWARM
GET    /tasks                               READ
GET    /tasks/{id}                          READ
GET    /tasks/{id}/logs                     READ
GET    /secrets                             READ
GET    /secrets/{id}                        READ
POST   /secrets/{rest}                      SWARM           STREAM
DELETE /secrets/{id}                        SWARM
GET    /configs                             READ
GET    /configs/{id}                        SWARM
POST   /configs/{rest}                      SWARM           STREAM
DELETE /configs/{id}                        SWARM
GET    /plugins                             READ
GET    /plugins/privileges                  PLUGIN
GET    /plugins/{image}/json                READ
POST   /plugins/{rest}                      PLUGIN          STREAM
DELETE /plugins/{image}                     PLUGIN
GET    /distribution/{image}/json           REGISTRY
GET    /networks                            READ
GET    /networks/{name}                     READ
POST   /networks/create                     NETWORK_CREATE  JSON
POST   /networks/{name}/connect             CHANGE          JSON
POST   /networks/{name}/disconnect          CHANGE          JSON
POST   /networks/prune                      CHANGE
DELETE /networks/{name}                     CHANGE
GET    /debug/{rest}                        DEBUG
POST   /debug/{rest}                        DEBUG           STREAM
""")
"""Whatever is not here is refused: endpoints yet to come, other methods, odd case, ``OPTIONS``, HTTP/2's ``PRI``."""


def find(method: str, path: str) -> tuple[Route, str]:
    """Return the endpoint of a request and the name in its path (``""`` when it has none).

    :raises Refusal: ``request.unknown-route``
    """
    for route in ROUTES:
        if route.method == method and (match := route.pattern.fullmatch(path)):
            break
    else:
        refuse("request.unknown-route", f"{method[:20]} {path[:120]} is not an endpoint that the guard knows")
    return route, match.groupdict().get("name", "")
