import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import docker
import pytest

from pratique.errors import EngineError
from pratique.runtime import Engine
from testbed.engine import ThrowAwayEngine

Result = TypeVar("Result")


def ask(engine: ThrowAwayEngine, question: Callable[[Engine], Awaitable[Result]]) -> Result:
    async def answer() -> Result:
        async with Engine.connect(engine.url) as connection:
            return await question(connection)

    return asyncio.run(answer())


def test_an_image_has_one_identity_under_all_its_names(engine: ThrowAwayEngine, client: docker.DockerClient) -> None:
    client.images.get("shop/redis:1").tag("innocent", "latest")
    try:
        by_name = ask(engine, lambda connection: connection.image("shop/redis:1"))
        by_other_name = ask(engine, lambda connection: connection.image("innocent"))
        assert by_name is not None
        assert by_name == by_other_name
        assert set(by_name.references) == {"shop/redis:1", "innocent:latest"}
        assert ask(engine, lambda connection: connection.image(by_name.id)) == by_name
    finally:
        client.images.remove("innocent:latest")


def test_what_the_engine_does_not_know_is_none_and_not_an_error(engine: ThrowAwayEngine) -> None:
    assert ask(engine, lambda connection: connection.image("no/such:1")) is None
    assert ask(engine, lambda connection: connection.container("0" * 64)) is None
    assert ask(engine, lambda connection: connection.inspect_volume("none")) is None
    assert ask(engine, lambda connection: connection.inspect_exec("0" * 64)) is None


@pytest.mark.parametrize("name", ["../info", "a?x=1", "a b", "", "a/../../info", "a" * 600, "%2e%2e"])
def test_a_name_never_reaches_another_endpoint(engine: ThrowAwayEngine, name: str) -> None:
    with pytest.raises(EngineError):
        ask(engine, lambda connection: connection.inspect_container(name))


def test_a_container_is_told_with_its_image_and_mounts(engine: ThrowAwayEngine, client: docker.DockerClient) -> None:
    created = client.containers.create("alpine-like/base:1", ["true"], name="told", volumes={"data": {"bind": "/data"}})
    container = ask(engine, lambda connection: connection.container(created.id or ""))
    assert container is not None
    assert (container.name, container.running) == ("told", False)
    assert container.image == client.images.get("alpine-like/base:1").id
    assert [(mount.kind, mount.destination) for mount in container.mounts] == [("volume", "/data")]
    assert container.created_at > 1_700_000_000


def test_events_from_the_moment_of_listening_on_are_told(engine: ThrowAwayEngine, client: docker.DockerClient) -> None:
    async def first_create() -> str:
        async with Engine.connect(engine.url) as connection, connection.listen() as events:
            await asyncio.to_thread(client.containers.create, "alpine-like/base:1", ["true"], name="heard")
            async with asyncio.timeout(20):
                async for event in events:
                    if event.kind == "container" and event.action == "create":
                        return event.attributes["name"]
        return ""

    assert asyncio.run(first_create()) == "heard"


def test_an_engine_that_is_not_there_is_one_clear_error() -> None:
    async def question() -> None:
        async with Engine.connect("unix:///nonexistent/docker.sock") as connection:
            await connection.info()

    with pytest.raises(EngineError) as caught:
        asyncio.run(question())
    assert "cannot be reached" in caught.value.what
    assert "doctor" in caught.value.hint
