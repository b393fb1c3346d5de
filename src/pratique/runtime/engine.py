"""A Docker Engine, as far as Pratique needs it: look, listen, export. Source: Docker Engine API v1.41."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Final, Self

import aiodocker
import aiohttp
from msgspec import Struct

from pratique.errors import EngineError
from pratique.model import Container, ImageId, ImageIdentity, Mount, Network, Protocol, PublishedPort

OWN_CALL_HEADER: Final = "X-Pratique-Agent"
"""Carries a secret of this process, by which our guard knows our own calls."""

_REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}")
_OBJECT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_EXPORT_CHUNK_BYTES: Final = 1 << 20
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30.0, sock_connect=5.0)


class EngineInfo(Struct, frozen=True):
    """What the engine says of itself."""

    version: str
    api_version: str
    storage_driver: str
    root_dir: str
    cgroup_driver: str
    """``cgroupfs`` or ``systemd``."""
    cgroup_version: str
    authorization_plugins: tuple[str, ...]
    """As read at the engine's start; a reload by SIGHUP does not change what it tells here."""
    live_restore: bool = False
    """Containers go on when the engine ends."""
    insecure_registries: tuple[str, ...] = ()
    """Registries that the engine asks without TLS or without checking certificates, other than on loopback."""


class EngineEvent(Struct, frozen=True):
    """One line of the engine's event stream."""

    at: float
    kind: str
    """``container``, ``image``, ``network`` …"""
    action: str
    """``create``, ``start``, ``die``, ``destroy``, ``load`` …"""
    id: str
    attributes: dict[str, str]


class Engine:
    """A connection to one engine. All methods raise :class:`EngineError` when it does not answer as it should."""

    def __init__(self, client: aiodocker.Docker, host: str, token: str) -> None:
        self._client: Any = client  # half of the library's calls carry no types
        self._host = host
        self._token = token

    @classmethod
    @asynccontextmanager
    async def connect(cls, host: str, *, token: str = "") -> AsyncIterator[Self]:
        """Open a client; the first call connects.

        :param host: ``unix:///path`` or ``tcp://address:port``
        :param token: value of :data:`OWN_CALL_HEADER` for every call
        """
        async with (
            _session(host, token) as (session, connector),
            aiodocker.Docker(url=_base(host), connector=connector, session=session, timeout=_TIMEOUT) as client,
        ):
            yield cls(client, host, token)

    async def info(self) -> EngineInfo:
        """Return what the engine says of itself."""
        with _translated(f"engine at {self._host}"):
            info = await self._client.system.info()
            version = await self._client.version()
        return EngineInfo(
            version=str(info.get("ServerVersion", "")),
            api_version=str(version.get("ApiVersion", "")),
            storage_driver=str(info.get("Driver", "")),
            root_dir=str(info.get("DockerRootDir", "")),
            cgroup_driver=str(info.get("CgroupDriver", "")),
            cgroup_version=str(info.get("CgroupVersion", "1")),
            authorization_plugins=tuple((info.get("Plugins") or {}).get("Authorization") or ()),
            live_restore=bool(info.get("LiveRestoreEnabled")),
            insecure_registries=_insecure_registries(info.get("RegistryConfig") or {}),
        )

    async def image(self, reference: str) -> ImageIdentity | None:
        """Resolve a name, tag, digest or id as the engine does now; None when it knows no such image."""
        document = await self.inspect_image(reference)
        return None if document is None else _image(document)

    async def images(self) -> list[ImageIdentity]:
        """Return every image of the engine, untagged ones too."""
        found = [await self.image(image_id) for image_id in sorted(await self.image_ids())]
        return [image for image in found if image is not None]

    async def export(self, image_id: ImageId) -> AsyncIterator[bytes]:
        """Stream an image as ``docker save`` writes it."""
        with _translated(f"export of image {image_id}"):
            async with self._client.images.export_image(image_id) as stream:
                while chunk := await stream.read(_EXPORT_CHUNK_BYTES):
                    yield chunk

    async def image_ids(self) -> frozenset[ImageId]:
        """Return the ids of every image of the engine."""
        with _translated(f"images of {self._host}"):
            listed = await self._client.images.list(all=True)
        return frozenset(ImageId(str(entry["Id"])) for entry in listed)

    async def containers(self) -> list[Container]:
        """Return every container, running or not."""
        with _translated(f"containers of {self._host}"):
            listed = await self._client.containers.list(all=True)
        found = [await self.container(entry.id) for entry in listed]
        return [container for container in found if container is not None]

    async def container(self, container_id: str) -> Container | None:
        """Return one container, or None."""
        document = await self.inspect_container(container_id)
        return None if document is None else _container(document)

    async def inspect_image(self, reference: str) -> dict[str, Any] | None:
        """Return ``GET /images/{name}/json``, or None when there is none."""
        if not _REFERENCE.fullmatch(reference):
            msg = f"image reference {reference[:80]!r} is not one"
            raise EngineError(msg)
        return await self._inspect(f"image {reference}", lambda: self._client.images.inspect(reference))

    async def inspect_container(self, container_id: str) -> dict[str, Any] | None:
        """Return ``GET /containers/{id}/json``, or None when there is none."""
        name = _checked(container_id, "container")
        return await self._inspect(f"container {name}", lambda: self._client.containers.container(name).show())

    async def inspect_volume(self, volume: str) -> dict[str, Any] | None:
        """Return ``GET /volumes/{name}``, or None when there is none."""
        name = _checked(volume, "volume")

        async def show() -> dict[str, Any]:
            volume = await self._client.volumes.get(name)
            document: dict[str, Any] = await volume.show()
            return document

        return await self._inspect(f"volume {name}", show)

    async def inspect_exec(self, exec_id: str) -> dict[str, Any] | None:
        """Return ``GET /exec/{id}/json``, or None when there is none."""
        name = _checked(exec_id, "exec")
        return await self._inspect(f"exec {name}", lambda: self._client.containers.exec(name).inspect())

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[AsyncIterator[EngineEvent]]:
        """Subscribe to the engine's events; what happens from here on is yielded until the connection ends."""
        async with _session(self._host, self._token) as (session, connector):
            base = _base(self._host)
            client: Any = aiodocker.Docker(url=base, connector=connector, session=session, timeout=_TIMEOUT)
            since = time.time()
            with _translated(f"events of {self._host}"):
                await client.version()  # so that an engine that is away is an error here
            stream = client.events.subscribe(since=int(since))
            try:
                yield _events(stream, since)
            finally:
                with suppress(aiohttp.ClientError):  # which ended the stream, told once more
                    await client.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        what: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        seconds: float = 60.0,
    ) -> Any:
        """Make a request that changes something; see :mod:`pratique.runtime.actions`.

        :param path: below the API's version, without a slash at its beginning
        :param what: what is done and to which object, for the error
        :param seconds: how long the engine may take
        """
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=5.0)
        with _translated(what):
            return await self._client._query_json(path, method, params=query, data=body, timeout=timeout)  # noqa: SLF001

    async def _inspect(self, what: str, call: Any) -> dict[str, Any] | None:
        with _translated(what):
            try:
                document: dict[str, Any] = await call()
            except aiodocker.DockerError as error:
                if error.status == 404:
                    return None
                raise
        return document


@asynccontextmanager
async def _session(host: str, token: str) -> AsyncIterator[tuple[aiohttp.ClientSession, aiohttp.BaseConnector]]:
    connector: aiohttp.BaseConnector
    if host.startswith("unix://"):
        connector = aiohttp.UnixConnector(host.removeprefix("unix://"))
    elif host.startswith("tcp://"):
        connector = aiohttp.TCPConnector()
    else:
        msg = f"engine address {host!r} is neither unix:// nor tcp://"
        raise EngineError(msg, hint="set DOCKER_HOST, for example unix:///var/run/docker.sock")
    headers = {OWN_CALL_HEADER: token} if token else {}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        yield session, connector


def _base(host: str) -> str:
    """Return what the client library joins paths to; over a unix socket its host name means nothing."""
    return "unix://localhost" if host.startswith("unix://") else host


async def _events(stream: Any, since: float) -> AsyncIterator[EngineEvent]:
    while (raw := await stream.get()) is not None:
        at = raw.get("timeNano", 0) / 1e9
        if at < since:  # the engine replays whole seconds
            continue
        actor = raw.get("Actor") or {}
        yield EngineEvent(
            at=at,
            kind=str(raw.get("Type", "")),
            action=str(raw.get("Action", "")),
            id=str(actor.get("ID", "")),
            attributes={str(key): str(value) for key, value in (actor.get("Attributes") or {}).items()},
        )


class _translated:  # noqa: N801  # reads as a statement: with _translated(what)
    """Turn the client library's exceptions into :class:`EngineError`, at this one place."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, aiodocker.DockerError):
            unreachable = error.status == 900
            msg = f"{self._what}: {'the engine cannot be reached' if unreachable else error.message}"
            hint = "is it running, and may this user open its socket? 'pratique doctor' tells" if unreachable else ""
            raise EngineError(msg, hint=hint) from error
        if isinstance(error, (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError)):
            msg = f"{self._what}: the engine did not answer as it should: {str(error) or type(error).__name__}"
            raise EngineError(msg) from error


def _checked(name: str, kind: str) -> str:
    if not _OBJECT_ID.fullmatch(name):
        msg = f"{kind} name {name[:80]!r} is not one"
        raise EngineError(msg)
    return name


def _insecure_registries(config: dict[str, Any]) -> tuple[str, ...]:
    indexes = (config.get("IndexConfigs") or {}).values()
    names = [str(index.get("Name", "")) for index in indexes if index.get("Secure") is False]
    networks = [str(network) for network in config.get("InsecureRegistryCIDRs") or ()]
    return tuple(name for name in (*names, *networks) if name not in {"127.0.0.0/8", "::1/128"})


def _image(document: dict[str, Any]) -> ImageIdentity:
    return ImageIdentity(
        id=ImageId(document["Id"]),
        references=tuple(document.get("RepoTags") or ()),
        repo_digests=tuple(document.get("RepoDigests") or ()),
        layers=tuple((document.get("RootFS") or {}).get("Layers") or ()),
        architecture=str(document.get("Architecture", "")),
        os=str(document.get("Os", "")),
        created=str(document.get("Created", "")),
    )


def _container(document: dict[str, Any]) -> Container:
    state = document.get("State") or {}
    networks = (document.get("NetworkSettings") or {}).get("Networks") or {}
    addresses = [net.get(key) for net in networks.values() for key in ("IPAddress", "GlobalIPv6Address")]
    return Container(
        id=str(document["Id"]),
        name=str(document.get("Name", "")).removeprefix("/"),
        image=ImageId(document.get("Image", "")),
        image_reference=str((document.get("Config") or {}).get("Image", "")),
        running=bool(state.get("Running")),
        created_at=_time(str(document.get("Created", ""))),
        pid=int(state.get("Pid") or 0),
        addresses=tuple(address for address in addresses if address),
        mounts=tuple(
            Mount(
                kind=str(mount.get("Type", "")),
                source=str(mount.get("Source", "")),
                destination=str(mount.get("Destination", "")),
                writable=bool(mount.get("RW")),
            )
            for mount in document.get("Mounts") or ()
        ),
        labels=dict((document.get("Config") or {}).get("Labels") or {}),
        published=_published(document),
        networks=tuple(
            Network(str(name), tuple(str(net[key]) for key in ("Gateway", "IPv6Gateway") if net.get(key)))
            for name, net in networks.items()
        ),
    )


def _published(document: dict[str, Any]) -> tuple[PublishedPort, ...]:
    """Return the ports that are open now; of a container that does not run, those that it was told to open."""
    bindings = (document.get("NetworkSettings") or {}).get("Ports") or {}
    if not any(bindings.values()):
        bindings = (document.get("HostConfig") or {}).get("PortBindings") or {}
    found = []
    for target, places in bindings.items():
        port, _, protocol = str(target).partition("/")
        for place in places or ():
            published = str(place.get("HostPort") or "0").partition("-")[0]  # "0": any, chosen at the start
            if protocol in {"tcp", "udp"} and port.isdecimal() and published.isdecimal():
                address = str(place.get("HostIp") or "0.0.0.0")  # noqa: S104  # what the engine does with an empty one
                found.append(PublishedPort(address, int(published), Protocol(protocol), int(port)))
    return tuple(found)


def _time(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time with up to nine digits of a second; 0 when it is not one."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", text)
    if match is None:
        return 0.0
    whole, fraction, zone = match.groups()
    seconds = datetime.fromisoformat(whole + ("+00:00" if zone == "Z" else zone)).timestamp()
    return seconds + float(fraction or 0)
