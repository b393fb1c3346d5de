"""What can be done to the containers of an engine. Source: Docker Engine API v1.41."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pratique.errors import EngineError
from pratique.runtime.engine import Engine

DEFAULT_STOP_S: Final = 10
"""How long the engine waits between a container's stop signal and SIGKILL when nothing says otherwise."""
_GRACE_S: Final = 30.0


class Actions:
    """Acts on one engine. Every method raises :class:`~pratique.errors.EngineError` with the engine's own words."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, name: str, body: Mapping[str, Any]) -> str:
        """Create a container and return its id."""
        what = f"container {name}"
        answer = await self._engine.call("POST", "containers/create", what=what, query={"name": name}, body=body)
        return str(answer["Id"])

    async def start(self, container: str) -> None:
        """Start a container; one that runs stays as it is."""
        await self._container(container, "start", seconds=120.0)

    async def restart(self, container: str) -> None:
        """Stop and start a container."""
        await self._container(container, "restart", seconds=DEFAULT_STOP_S + 120.0)

    async def stop(self, container: str, patience: int = DEFAULT_STOP_S) -> None:
        """Send the stop signal, and SIGKILL after some seconds; one that does not run stays as it is."""
        await self._container(container, "stop", {"t": str(patience)}, seconds=patience + _GRACE_S)

    async def kill(self, container: str) -> None:
        """Send SIGKILL."""
        await self._container(container, "kill")

    async def pause(self, container: str) -> None:
        """Freeze every process of a container."""
        await self._container(container, "pause")

    async def unpause(self, container: str) -> None:
        """Let the processes of a container go on."""
        await self._container(container, "unpause")

    async def rename(self, container: str, name: str) -> None:
        """Give a container another name; the engine's resolver follows at once."""
        await self._container(container, "rename", {"name": name})

    async def remove(self, container: str) -> None:
        """Remove a container, running or not; its volumes stay."""
        query = {"force": "true", "v": "false"}
        await self._engine.call("DELETE", f"containers/{container}", what=f"removal of {container[:12]}", query=query)

    async def set_restart(self, container: str, policy: Mapping[str, Any]) -> None:
        """Set when the engine restarts a container by itself."""
        what = f"restart policy of {container[:12]}"
        await self._engine.call("POST", f"containers/{container}/update", what=what, body={"RestartPolicy": policy})

    async def connect(self, network: str, container: str, endpoint: Mapping[str, Any]) -> None:
        """Join a container to a network."""
        body = {"Container": container, "EndpointConfig": endpoint}
        await self._engine.call("POST", f"networks/{network}/connect", what=f"joining {network}", body=body)

    async def disconnect(self, network: str, container: str) -> None:
        """Take a container out of a network."""
        body = {"Container": container, "Force": False}
        await self._engine.call("POST", f"networks/{network}/disconnect", what=f"leaving {network}", body=body)

    async def labelled(self, labels: Mapping[str, str]) -> list[str]:
        """Return the ids of the containers, running or not, with these labels."""
        filters = msgspec.json.encode({"label": [f"{key}={value}" for key, value in labels.items()]}).decode()
        query = {"all": "true", "filters": filters}
        found = await self._engine.call("GET", "containers/json", what="containers", query=query)
        return [str(entry["Id"]) for entry in found]

    async def service(self, service_id: str) -> dict[str, Any]:
        """Return a swarm service."""
        answer: dict[str, Any] = await self._engine.call("GET", f"services/{service_id}", what=f"service {service_id}")
        return answer

    async def update_service(self, service: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
        """Give a swarm service another specification; swarm itself replaces its tasks, as the specification says."""
        query = {"version": str(service["Version"]["Index"])}
        what = f"update of service {spec.get('Name', service['ID'])}"
        await self._engine.call("POST", f"services/{service['ID']}/update", what=what, query=query, body=spec)

    async def _container(
        self, container: str, action: str, query: Mapping[str, str] | None = None, *, seconds: float = 60.0
    ) -> None:
        what = f"{action} of container {container[:12]}"
        try:
            await self._engine.call("POST", f"containers/{container}/{action}", what=what, query=query, seconds=seconds)
        except EngineError as error:
            if "already" not in error.what:  # 304: it is as it should be
                raise
